"""``graphmem evaluate``: every measurement, each with its baselines, as a Markdown table or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial, wraps
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import click

from graphmem.cli.main import base_model, force, main, weights_folder
from graphmem.core.files import check_target, replacing
from graphmem.evaluation.report import Report

if TYPE_CHECKING:
    from graphmem.memory import GraphMemory
    from graphmem.model import GraphMemoryModel


existing = click.Path(exists=True, path_type=Path)
new = click.Path(path_type=Path)
split_option = click.option("--split", type=click.Choice(("dev", "test")), default="test", show_default=True)
data_folder = click.option("--data", type=existing, help="Folder of the data sets; $GRAPHMEM_DATA if left out.")
film_memory = click.option("--memory", type=new, help="Memory that holds WikiMovies; made in RAM if left out.")


def names(text: str) -> tuple[str, ...]:
    """Names with commas between."""
    return tuple(name.strip() for name in text.split(","))


def draw(text: str, default: int | None = None, seed: int = 0) -> Callable[[Any], Any]:
    """The options ``--n`` and ``--seed`` of a draw."""
    n = click.option("--n", type=click.IntRange(1), default=default, show_default=default is not None, help=text)
    seeds = click.option("--seed", default=seed, show_default=True, help="Seed of all draws.")
    return lambda function: n(seeds(function))


def log(line: str, **_: Any) -> None:
    """Print progress to standard error."""
    click.echo(line, err=True)


@main.group()
def evaluate() -> None:
    """Measure retrieval, generated answers, extraction and the rest, each with its baselines.

    `graphmem evaluate WHAT --help` lists the options of each.
    """


def measurement(function: Callable[..., Any]) -> click.Command:
    """A command of ``evaluate`` that prints the function's report as a table or as JSON, and writes it to ``--out``."""

    @evaluate.command(function.__name__.replace("_", "-"))
    @click.option("--json", "json_", is_flag=True, help="Print JSON instead of a table.")
    @click.option("--out", type=new, help="Also write the JSON here.")
    @force
    @wraps(function)
    def command(*, json_: bool, out: Path | None, force: bool, **options: Any) -> None:
        for target in (out, options.get("plot")):
            if target is not None:  # before hours of measuring
                check_target(target, sources=filter(None, [options.get("memory")]), force=force)
        report = function(**options)
        if out:
            with replacing(out) as file:
                file.write_text(report.json(), encoding="utf-8")
        click.echo(report.json() if json_ else report.table())

    return command


@contextmanager
def film_model(
    memory: Path | None, base: str, weights: str | None, *, films: bool = True
) -> Iterator[GraphMemoryModel]:
    """The model attached to a memory of WikiMovies, from a file or filled in RAM; empty where ``films`` is False."""
    with film_store(memory, films=films) as opened:
        yield attacher(base, weights)(opened)


@contextmanager
def film_store(memory: Path | None, *, films: bool = True) -> Iterator[GraphMemory]:
    """A memory of WikiMovies, from a file or filled in RAM; empty where ``films`` is False."""
    from graphmem.datasets.wikimovies import load_facts
    from graphmem.memory import GraphMemory

    with GraphMemory.open(memory or ":memory:") as opened:
        if memory is None and films:
            opened.add_many(load_facts(), source="WikiMovies")
        yield opened


def attacher(base: str, weights: str | Path | None = None) -> Callable[[GraphMemory], GraphMemoryModel]:
    """A function that attaches the base, loaded once, to a memory."""
    from graphmem.hub import load_language_model
    from graphmem.model import GraphMemoryModel

    loaded, tokenizer = load_language_model(base)
    return lambda memory: GraphMemoryModel.from_pretrained(loaded, weights, memory=memory, tokenizer=tokenizer)


@measurement
@click.argument("dataset", default="wikimovies")
@draw("Questions of each number of hops.", 300)
@click.option("--rankers", default="activation,path,ppr", show_default=True, help="Rankers to compare.", type=names)
@click.option("--split", type=click.Choice(("train", "dev", "test")), default="test", show_default=True)
@click.option("--weights", type=existing, help="Weights of the retriever; the shipped ones if left out.")
@click.option("--plot", type=new, help="Draw Hits@1 and two more charts (.png, .svg, .pdf).")
def retrieval(dataset: str, plot: Path | None, **options: Any) -> Report:
    """Hits@1, MRR and recall of graph retrieval on DATASET, by number of hops."""
    from graphmem.evaluation.retrieval import evaluate_retrieval

    report = evaluate_retrieval(dataset, **options)
    if plot:
        from graphmem.visualization.charts import plot_report

        plot_report(report, plot)
    return report


@measurement
@click.argument("dataset", default="2wiki")
@data_folder
@click.option("--half", type=click.Choice(("train", "test", "all")), default="test", help="Questions of 2wiki (test).")
@click.option("--cross", is_flag=True, help="Train the reranker on each half of 2wiki and test it on the other.")
@draw("This many questions; all if left out.")
@click.option("--rankers", type=names, help="Rankers to compare; all if left out.")
@click.option("--memory", type=new, help="Keep the memory of the corpus here, or use it again.")
@click.option("--weights", type=existing, help="Weights of the reranker; the shipped ones if left out.")
def passages(
    dataset: str, data: Path | None, half: Any, cross: bool, seed: int, rankers: Any, memory: Path | None,
    weights: Path | None, **options: Any,
) -> Report:  # fmt: skip
    """Recall of the gold passages in passage search on DATASET."""
    from graphmem.evaluation.passages import METHODS, evaluate_passages
    from graphmem.retrieval.passages.reranker import PassageReranker
    from graphmem.training.passage_reranker import train_halves

    return evaluate_passages(
        dataset, folder=data, half="all" if cross else half, seed=seed, memory=memory, **options,
        methods=rankers or tuple(METHODS),
        cross=train_halves(data, memory=memory, seed=seed) if cross else None,
        reranker=PassageReranker.load(weights) if weights else None,
    )  # fmt: skip


@measurement
@click.argument("dataset", default="wikimovies")
@data_folder
@film_memory
@base_model
@weights_folder
@split_option
@draw("Questions per number of hops, or cases.", 300)
@click.option("--trust", type=click.FloatRange(0, 1), help="Least answer probability at which the memory is used.")
@click.option("--methods", type=names, help="Methods to compare, with commas between; all if left out.")
def answers(
    dataset: str, data: Path | None, memory: Path | None, base: str, weights: str | None, split: str, n: int, seed: int,
    trust: float | None, methods: Any,
) -> Report:  # fmt: skip
    """Generated answers on DATASET: wikimovies, lists and refusal (which ship), or a set of the data folder."""
    from graphmem.evaluation.answers import METHODS

    methods = methods or METHODS
    if unknown := [name for name in methods if name not in METHODS]:
        raise click.UsageError(f"no method {unknown[0]!r}; choose of: {', '.join(METHODS)}")
    films = dataset in ("wikimovies", "lists", "refusal")
    with film_model(memory, base, weights, films=films) as model:
        if trust is not None:
            model.config = model.config.replaced(trust=trust)
        return answer_report(model, dataset, split, n, seed, methods=methods, data=data)


def answer_report(
    model: Any, dataset: str, split: str, n: int, seed: int, *, methods: Any, data: Path | None = None
) -> Report:
    """The report of one data set of ``graphmem evaluate answers``."""
    from graphmem.datasets.fact_sets import load_facts_and_questions
    from graphmem.datasets.wikimovies import load_questions
    from graphmem.evaluation.abstention import evaluate_lists, evaluate_refusal, unanswerable_questions
    from graphmem.evaluation.answers import evaluate_answers
    from graphmem.evaluation.fact_questions import evaluate_facts

    if dataset == "wikimovies":
        return evaluate_answers(model, None, load_questions(split), n, seed, methods=methods, log=log)
    if dataset == "lists":
        return evaluate_lists(model, load_questions(split), n, seed)
    if dataset == "refusal":
        known = Random(seed).sample(list(load_questions(split)), n)
        return evaluate_refusal(model, known, unanswerable_questions(split, n // 2, seed))
    stores = load_facts_and_questions(dataset, data, n, seed)
    return evaluate_facts(model, dataset, stores, methods=methods, seed=seed)


@measurement
@data_folder
@click.option("--sets", type=names, default="squad,squad-all,2wiki,boolq", show_default=True, help="Sets to ask.")
@draw("Questions drawn of each set; all if left out.")
@click.option("--memory", type=new, help="Keep the passages of squad-all here, or use them again.")
@click.option("--answers", "kept", type=new, help="Append each answer here; what it holds is not asked again.")
@click.option("--baseline", is_flag=True, help="Ask the base with the retrieved evidence in its prompt too.")
@base_model
@weights_folder
def documents(data: Path | None, base: str, weights: str | None, **options: Any) -> Report:
    """Questions answered from documents: SQuAD with one passage and with all, 2WikiMultiHopQA, BoolQ.

    Only rows held out of training are asked.
    """
    from graphmem.evaluation.documents import evaluate_documents

    return evaluate_documents(attacher(base, weights), folder=data, log=log, **options)


@measurement
@click.option("--weights", type=existing, help="Weights of the extractor; the shipped ones if left out.")
@click.option("--webnlg", type=existing, help="A WebNLG file to read instead of generated texts.")
@draw("Texts a set.", 300, seed=7)
@split_option
def extraction(weights: Path | None, webnlg: Path | None, n: int, seed: int, split: str) -> Report:
    """Mentions and facts that the extractor finds in texts, with spaCy's rules as a baseline."""
    from graphmem.evaluation.extraction import evaluate_extraction, extraction_sets, load_shipped_extractor

    sets = extraction_sets(split, n, seed, webnlg=webnlg)
    return evaluate_extraction(load_shipped_extractor(weights, lexicon=webnlg is None), sets, seed)


@measurement
@film_memory
@base_model
@weights_folder
@split_option
@draw("Passages.", 60)
@click.option("--questions", type=click.IntRange(1), default=200, show_default=True, help="Unrelated questions.")
def locality(memory: Path | None, base: str, weights: str | None, **options: Any) -> Report:
    """How far a memory moves the base on plain text and on questions that do not concern it."""
    from graphmem.evaluation.locality import evaluate_locality

    with film_model(memory, base, weights) as model:
        return evaluate_locality(model, **options)


@measurement
@click.option("--data", type=existing, help="bAbI's `en` folder; the shipped stories if left out.")
@click.option("--weights", type=existing, help="Weights of the state extractor; the shipped ones if left out.")
@split_option
@click.option("--tasks", type=int, multiple=True, help="Only these tasks; repeat the option for several.")
def state_tracking(data: Path | None, weights: Path | None, split: str, tasks: tuple[int, ...]) -> Report:
    """Accuracy on bAbI's questions (test: the last 40 stories of each file), with the most frequent answer of each
    task as a baseline."""
    from graphmem.datasets.babi import TASKS, load_tasks
    from graphmem.evaluation.state_tracking import score
    from graphmem.hub import load_encoder
    from graphmem.state_tracking.extractor import StateChangeExtractor
    from graphmem.state_tracking.network import SHIPPED, load_states

    encoder = load_encoder()
    extractor = StateChangeExtractor(load_states(weights or SHIPPED, encoder.fingerprint), encoder)
    stories = load_tasks(data, tasks or TASKS)
    return Report(score(stories.test if split == "test" else stories.dev, extractor, encoder))


@measurement
@click.argument("akew", type=existing)
@draw("Cases drawn; all if left out.")
@click.option("--old", is_flag=True, help="The memory holds the old facts before the edits.")
@click.option("--generate", is_flag=True, help="Score generated answers too, not only top-1 retrieval.")
@base_model
def text_edits(akew: Path, n: int | None, seed: int, old: bool, generate: bool, base: str) -> Report:
    """Edits read from free text and then asked about; AKEW is the file of AKEW's form of MQuAKE-CF."""
    from graphmem.datasets.mquake import edit_cases
    from graphmem.evaluation.text_edits import evaluate_edits

    rows = evaluate_edits(attacher(base), edit_cases(akew, n, seed), old=old, generate=generate, log=log)
    return Report(rows, seed)


@measurement
@draw("Pairs of passages.", 40)
def disambiguation(n: int, seed: int) -> Report:
    """Links of ambiguous names with and without entity states."""
    from graphmem.core.paths import WEIGHTS
    from graphmem.encoding.entity_states import load_entity_states
    from graphmem.evaluation.disambiguation import evaluate_disambiguation
    from graphmem.hub import DEFAULT_MODEL

    network = load_entity_states(WEIGHTS / DEFAULT_MODEL)
    assert network is not None, "weights of entity states ship with the package"
    return evaluate_disambiguation(network, n, seed)


people_folders = click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=existing)
show = click.option("--show", "failures", is_flag=True, help="Print every failure to standard error.")


@measurement
@people_folders
@click.option(
    "--parts", type=names, default="ask,unknown,read,chat", show_default=True, help="Parts to run, with commas between."
)
@click.option("--baseline", is_flag=True, help="Ask the base with the retrieved evidence in its prompt too.")
@base_model
@weights_folder
@show
def people(
    folders: tuple[Path, ...], parts: Any, baseline: bool, base: str, weights: str | None, failures: bool
) -> Any:
    """People's questions about their own facts and documents: asking, refusing, reading, conversations.

    Each DIR holds facts.tsv, docs.jsonl, questions.jsonl, unknown.jsonl and chats.jsonl.
    """
    from graphmem.evaluation.people import evaluate_people

    return evaluate_people(attacher(base, weights), folders, parts, baseline=baseline, log=log if failures else None)


@measurement
@people_folders
@click.option("--parts", type=names, default="evidence", show_default=True, help="Parts to take away.")
@click.option("--arms", type=existing, help="Folder of trained arms, one a part; a part without one is switched off.")
@base_model
@show
def ablation(folders: tuple[Path, ...], parts: Any, arms: Path | None, base: str, failures: bool) -> Report:
    """What each part does: people's questions with it and without it.

    Each DIR is a set as `graphmem evaluate people` takes it.
    """
    from graphmem.evaluation.ablation import evaluate_ablation

    attach = cache(partial(attacher, base))  # arms with the same weights share a model
    return evaluate_ablation(attach, folders, parts, arms=arms, log=log if failures else None)


@measurement
@data_folder
@film_memory
@click.option(
    "--half", type=click.Choice(("development", "reported", "all")), default="reported", show_default=True,
    help="Half of the questions, by the hash of their text; the other one may be developed on.",
)  # fmt: skip
@click.option(
    "--without", type=names,
    help="Ask without these parts too, with commas between, and + between parts that are taken away together.",
)  # fmt: skip
@draw("Questions of each kind; all if left out.")
@show
def probes(
    data: Path | None, memory: Path | None, half: Any, without: Any, n: int | None, seed: int, failures: bool
) -> Report:
    """Questions about two topics and operations on sets over WikiMovies, answered without a language model."""
    from graphmem.evaluation.ablation import ablate_probes
    from graphmem.evaluation.probes import evaluate_probes, load_probes

    rows = load_probes(data, half, n, seed)
    with film_store(memory) as opened:
        if without:
            return ablate_probes(opened, rows, without, seed, log if failures else None)
        return evaluate_probes(opened, rows, seed, log=log if failures else None)
