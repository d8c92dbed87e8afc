"""Commands that need a model or a search: ask, chat, picture, demo, train, experiment."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphmem.adapters.light_imports import light_imports
from graphmem.cli.main import base_model, emit, force, main, memory_command, retriever_weights, weights_folder
from graphmem.core.files import check_target
from graphmem.text.printing import lines_of, printable

if TYPE_CHECKING:
    from graphmem.memory import GraphMemory
    from graphmem.model import GraphMemoryModel


def load_model(memory: GraphMemory, base: str, weights: str | None) -> GraphMemoryModel:
    """The base model with the memory attached."""
    with light_imports():  # methods are marked for the compiler, which the command line does not use
        from graphmem.model import GraphMemoryModel

    click.echo(f"loading {base} ...", err=True)
    return GraphMemoryModel.from_pretrained(base, weights, memory=memory)


@memory_command(opened=("retriever",), reads=True)
@click.argument("question")
@base_model
@weights_folder
@click.option("--as-of", help="Answer from the facts valid at that time.")
@click.option("--at", help="Moment of asking, to which now and last year refer; now if left out.")
@click.option("--facts/--no-facts", default=True, help="Show the facts that lead to the answer.")
@click.option("--when-unknown", type=click.Choice(("refuse", "answer", "base", "attend")), default="refuse",
              show_default=True, help="Where the memory holds no answer: say so, give the best answer all the same, "
              "let the base answer alone, or let the memory layers decide.")  # fmt: skip
@click.option("--min-confidence", type=click.FloatRange(0, 1),
              help="Confidence below which the answer counts as unknown; calibrated if left out.")  # fmt: skip
@click.option("--all", "all_answers", is_flag=True, help="Generate all answers, not only the best.")
@retriever_weights
@click.option("--max-retrievals", type=click.IntRange(0), default=0,
              help="Further searches while the answer is generated.")  # fmt: skip
@click.option("--explain-picture", "drawing", type=click.Path(dir_okay=False, path_type=Path),
              help="Write an HTML file with the source of each token.")  # fmt: skip
@force
def ask(
    memory: GraphMemory, question: str, base: str, weights: str | None, facts: bool, min_confidence: float | None,
    max_retrievals: int, drawing: Path | None, force: bool, json_: bool, **options: Any,
) -> None:  # fmt: skip
    """Ask the model QUESTION, with the memory attached."""
    with light_imports():
        from graphmem.generation.decoding import RetrievalSchedule
    from graphmem.visualization.attribution_html import save_attribution

    if drawing:
        check_target(drawing, sources=[memory.path], force=force)
    if min_confidence is not None:
        options["min_confidence"] = min_confidence
    schedule = RetrievalSchedule(max_retrievals=max_retrievals)
    answer = load_model(memory, base, weights).ask(question, schedule=schedule, **options)
    if drawing:
        click.echo(f"written: {save_attribution(question, answer, drawing)}", err=True)
    if json_:
        said = {"answer": answer.text, "answers": answer.answers, "refused": answer.refused, "status": answer.status}
        found = {"path": answer.path, "evidence": answer.evidence, "answerable": answer.answerable}
        known = {"confidence": answer.confidence, "explanation": answer.explanation}
        return emit({"question": question, **said, **found, **known})
    click.echo(lines_of(answer.text))
    if answer.status == "from_base":
        click.echo("  from the base model, not from the memory")
    for item in (answer.path or answer.evidence[:1]) if facts and answer.status == "answered" else ():
        click.echo(f"  because {printable(item)}")


@memory_command(json=False, reads=True)
@click.argument("query")
@click.option("-o", "--output", default="subgraph.html", show_default=True, type=click.Path(path_type=Path))
@click.option("--answer", help="Highlight the path to this node; to the best one if left out.")
@click.option("--as-of", help="Search what held at that time.")
@force
def picture(memory: GraphMemory, query: str, output: Path, answer: str | None, as_of: str | None, force: bool) -> None:
    """Draw the subgraph retrieved for QUERY, as an HTML file."""
    from graphmem.visualization.subgraph_html import save_subgraph

    check_target(output, sources=[memory.path], force=force)
    click.echo(save_subgraph(memory.retrieve(query, top_k=50, as_of=as_of), output, answer=answer))


@main.command()
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), default=".", help="Where to write.")
@click.option("--full", is_flag=True, help="All 129,233 facts instead of a connected part.")
@click.option("--quick", is_flag=True, help="Score fewer questions.")
@force
@base_model
def demo(folder: Path, **options: Any) -> None:
    """Run the demonstration on the WikiMovies graph; it writes demo.db and demo.html."""
    from graphmem.cli.demo import run_demo

    run_demo(folder, **options)


TRAINERS = {
    "custom": "training.fusion.custom",
    "retriever": "training.retriever.train",
    "evidence": "training.evidence.train",
    "operation": "training.evidence.operation",
    "temporal-form": "training.evidence.temporal_form",
    "graph-network": "training.evidence.graph_network",
    "turn-form": "training.evidence.turn_form",
    "calibration": "training.evidence.calibration",
    "passage-reranker": "training.passage_reranker",
    "fusion": "training.fusion.train",
    "continuation": "training.fusion.train_continuation",
    "extractor": "training.reader.train",
    "write-gate": "training.gate.train",
    "entity-states": "training.entity_states",
    "state-tracking": "training.state_tracking.train",
}
EXPERIMENTS = {name: f"experiments.{name}" for name in ("integrate", "edit", "reason", "extend", "adapt", "modelling")}
pass_through = {"ignore_unknown_options": True, "help_option_names": []}


@main.command(context_settings=pass_through)
@click.argument("what", metavar=f"[{'|'.join(TRAINERS)}]", default="--help")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def train(ctx: click.Context, what: str, options: tuple[str, ...]) -> None:
    """Train memory layers for your own model on your own facts, or one of the shipped parts.

    Your own: `graphmem train custom --base NAME --data facts.tsv [--questions questions.jsonl] [--config train.toml]
    --out DIR`. Runs are seeded, logged, and resumed after a stop. `graphmem train WHAT --help` lists the options.
    """
    if what.startswith("--") and what != "--help":
        what, options = "custom", (what, *options)
    run_module(ctx, what, options, TRAINERS)


@main.command(context_settings=pass_through)
@click.argument("what", metavar=f"[{'|'.join(EXPERIMENTS)}]", default="--help")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def experiment(ctx: click.Context, what: str, options: tuple[str, ...]) -> None:
    """Run an experiment: graphmem and its baselines on the same facts and questions.

    Each writes a table, plots and a JSON file, and is resumed after a stop. `graphmem experiment NAME --help` lists
    the options.
    """
    run_module(ctx, what, options, EXPERIMENTS)


def run_module(ctx: click.Context, what: str, options: tuple[str, ...], modules: dict[str, str]) -> None:
    """Call ``main`` of the module that WHAT names with the options; show the help where WHAT is ``--help``."""
    if what in {"-h", "--help"}:
        click.echo(ctx.get_help())
    elif what not in modules:
        raise click.UsageError(f"no {what!r}; choose one of {', '.join(modules)}")
    else:
        import_module(f"graphmem.{modules[what]}").main(list(options))
