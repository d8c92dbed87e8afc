"""Reasoning: questions of one to three hops over a graph that no training saw, by every method."""

from __future__ import annotations

from random import Random

from graphmem.experiments.comparison import Comparison
from graphmem.experiments.harness.runs import Part, Run
from graphmem.experiments.harness.scoring import answer_items, answer_rows
from graphmem.experiments.methods.base import Cost, Method
from graphmem.experiments.panel import Panel
from graphmem.experiments.tasks.benchmark_facts import folder_with, path_questions
from graphmem.experiments.tasks.fact_set import CachedRetriever, FactSet
from graphmem.experiments.tasks.film_facts import NAME, TRAINING_FACTS, among, film_questions

PLOTS = {"answers": ("right",), "contains": ("contains",), "seconds": ("s/answer",)}
NOTES = (
    "right: the first answer is right; contains: a right answer occurs anywhere in the text.",
    "Every method with retrieval gets the same facts: the best that the memory finds (seconds included).",
    f"LoRA is trained on the facts behind the questions among others, {TRAINING_FACTS} in all, not on the questions.",
    "WikiMovies gives no paths: gold is a shortest chain from the topic to one answer, of at most so many hops.",
)


def fact_sets(run: Run) -> list[FactSet]:
    """WikiMovies (quick: the part of the graph around the questions), and PathQuestion where its file is there."""
    n = run.n or (8 if run.quick else 300)
    sets = [film_questions(n, whole=not run.quick, seed=run.seed)] if run.wants(NAME) else []
    if folder := folder_with(run, "PathQuestion"):
        sets.append(path_questions(folder, n, seed=run.seed))
    return sets


def measure(panel: Panel, facts: FactSet, method: Method, retriever: CachedRetriever) -> tuple[Part, Cost]:
    """Rows of one method."""
    seed = panel.run.seed
    gold = [fact for item in facts.items for fact in item.gold]
    training_facts = facts.training_facts or among(Random(seed), gold, facts.all_facts)
    training = method.learn(facts.training_pairs(training_facts))
    answers = answer_items(method, facts.items, retriever)
    return answer_rows(facts.name, method.name, facts.items, answers, seed=seed), training


main = Comparison(
    "reason", "Ask questions of one to three hops, with every baseline.", fact_sets, measure, NOTES, PLOTS
).main
