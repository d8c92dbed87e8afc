"""Language modelling: nats per token of passages whose facts the graph holds."""

from __future__ import annotations

from graphmem.experiments.comparison import Comparison
from graphmem.experiments.harness.runs import Part, Run
from graphmem.experiments.harness.scoring import likelihood_rows
from graphmem.experiments.methods.base import Cost, Method
from graphmem.experiments.panel import Panel
from graphmem.experiments.tasks.benchmark_facts import described_facts, folder_with
from graphmem.experiments.tasks.fact_set import CachedRetriever, FactSet
from graphmem.experiments.tasks.synthetic_facts import NAME, integrate_world

METHODS = ("closed", "gold", "distractors", "graphmem")
PLOTS = {"": ("nats/name token",), "text-so-far": ("nats/name token, text so far",)}
NOTES = (
    "A name token is one that overlaps an exact occurrence of a name of the passage's facts.",
    "nats/token and nats/name token: all tokens but the first; the memory is searched once, with the name of the topic "
    "(the first fact's subject). The prompts with the passage's own facts hold every name.",
    "text so far: tokens after the passage's first name; the memory is searched once, with the passage up to there.",
    "Intervals are over passages.",
)


def fact_sets(run: Run) -> list[FactSet]:
    """WebNLG where its file is there, and passages of an invented world."""
    n = run.n or (20 if run.quick else 300)
    sets = []
    if folder := folder_with(run, "WebNLG", quick=True):
        sets.append(described_facts(folder, n, seed=run.seed))
    if run.wants(NAME):
        sets.append(integrate_world(3 * n, 3 * n if n > 60 else 150, run.seed))
    return sets


def measure(panel: Panel, facts: FactSet, method: Method, retriever: CachedRetriever) -> tuple[Part, Cost]:
    """Rows of one method."""
    training = method.learn(facts.training_pairs(facts.training_facts_of(0)))
    return Part(likelihood_rows(facts, method, panel.language, retriever, seed=panel.run.seed)), training


main = Comparison(
    "modelling", "Likelihood of passages whose facts the graph holds among 500 others.", fact_sets, measure, NOTES,
    PLOTS, methods=METHODS,
).main  # fmt: skip
