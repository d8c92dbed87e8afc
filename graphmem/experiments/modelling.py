"""Language modelling: passages whose facts the graph holds, by the model alone, with facts before them, graphmem."""

from __future__ import annotations

from collections.abc import Sequence

from graphmem.experiments.comparison import Comparison, in_one_memory
from graphmem.experiments.harness.likelihood import modelling
from graphmem.experiments.harness.runs import Part, Run
from graphmem.experiments.panel import UNREAD, Panel, cost_part
from graphmem.experiments.tasks.described_facts import FILE, described
from graphmem.experiments.tasks.described_facts import NAME as DESCRIBED
from graphmem.experiments.tasks.fact_set import FactSet, LookUp, pairs_of
from graphmem.experiments.tasks.synthetic_facts import NAME, integrate_world

METHODS = ("closed", "gold", "distractors", "graphmem")
PLOTS = {"": ("nats/name token",), "text-so-far": ("nats/name token, text so far",)}
NOTES = (
    "A name token is one that touches a name of the passage's facts, where it stands letter for letter.",
    "nats/token and nats/name token: all tokens but the first; the memory is asked with the name of the topic (the "
    "first fact's subject), once. The prompts of the passage's own facts say every name beforehand.",
    "text so far: tokens after the passage's first name; the memory is asked with the passage up to there, once.",
    "Intervals are over passages.",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """How likely passages are whose facts the graph holds among 500 others."""
    Comparison("modelling", main.__doc__, fact_sets, in_one_memory(_one), NOTES, PLOTS, methods=METHODS).main(arguments)


def fact_sets(run: Run) -> list[FactSet]:
    """WebNLG where the user has it, and passages of an invented world."""
    n = run.n or (20 if run.quick else 300)
    sets = []
    if run.wants(DESCRIBED) and run.data is not None and (run.data / FILE).exists():
        sets.append(described(run.data / FILE, n, seed=run.seed))
    if run.wants(NAME):
        sets.append(integrate_world(3 * n, 3 * n if n > 60 else 150, run.seed))
    return sets


def _one(panel: Panel, facts: FactSet, look_up: LookUp, name: str) -> Part:
    with panel.method(name, facts, look_up.memory) as (method, cost):
        learnt = method.learn(pairs_of(facts, facts.taught(0)))
        made = Part(modelling(facts, method, panel.language, look_up, reads=name not in UNREAD, seed=panel.run.seed))
        return made + cost_part(facts.name, method.name, learnt if learnt.steps else cost)
