"""Commands that need a model or a search: ask, read, picture, demo, evaluate, train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphmem.cli.main import as_json, emit, main, memory_file, namespace, open_memory, retriever_weights

if TYPE_CHECKING:
    from graphmem.core.edits import WriteDecision
    from graphmem.generation.answering import WhenUnknown
    from graphmem.memory import GraphMemory
    from graphmem.model import GraphMemoryModel

base_model = click.option(
    "--model", "base", default="smollm2-135m", show_default=True,
    help="Base model: a folder, a hub name, or the name of a packaged model.",
)  # fmt: skip
weights_folder = click.option(
    "--weights", type=click.Path(exists=True), help="Trained weights; the shipped ones if left out."
)


def load_model(memory: GraphMemory, base: str, weights: str | None) -> GraphMemoryModel:
    """The base model with the memory attached."""
    from graphmem.model import GraphMemoryModel

    click.echo(f"loading {base} ...", err=True)
    return GraphMemoryModel.from_pretrained(base, weights, memory=memory)


@main.command()
@memory_file
@click.argument("question")
@base_model
@weights_folder
@click.option("--as-of", help="Answer from what held at that time.")
@click.option("--facts/--no-facts", "show_facts", default=True, help="Show the facts that lead to the answer.")
@click.option(
    "--unknown",
    type=click.Choice(("speak", "trust", "refuse", "base")),
    default="speak",
    show_default=True,
    help="Where the memory holds no answer: the readings decide, it is believed, it says so, or the base answers.",
)
@click.option("--all", "all_answers", is_flag=True, help="Say all answers, not only the best.")
@retriever_weights
@click.option("--rereads", type=click.IntRange(0), default=0, help="Most searches more while the answer is written.")
@click.option(
    "--explain-picture",
    "drawing",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw where each token was read, as an HTML file.",
)
@namespace
@as_json
def ask(
    db: str, question: str, base: str, weights: str | None, as_of: str | None, show_facts: bool, unknown: WhenUnknown,
    all_answers: bool, retriever: str | None, rereads: int, drawing: Path | None, namespace: str, json_: bool,
) -> None:  # fmt: skip
    """Ask the model QUESTION, with the memory attached."""
    from graphmem.generation.answering import RetrievalSchedule
    from graphmem.visualization.attribution_html import save_attribution

    with open_memory(db, namespace=namespace, retriever=retriever) as memory:
        answer = load_model(memory, base, weights).ask(
            question, as_of=as_of, unknown=unknown, all_answers=all_answers, policy=RetrievalSchedule(rereads=rereads)
        )
    path = answer.path
    if drawing:
        click.echo(f"drawn: {save_attribution(question, answer, drawing)}", err=True)
    if json_:
        answers = {"answer": answer.text, "answers": answer.answers, "refused": answer.refused}
        return emit({"question": question, **answers, "path": path, "answerable": answer.answerable})
    click.echo(answer.text)
    for fact in path if show_facts else ():
        click.echo(f"  because {fact}")


@main.command()
@memory_file
@click.option("--session", "name", default="default", show_default=True, help="The conversation to go on with.")
@click.option("--speaker", help="Your name, so that what you say of yourself can be noted.")
@base_model
@weights_folder
@namespace
@as_json
def chat(db: str, name: str, speaker: str | None, base: str, weights: str | None, namespace: str, json_: bool) -> None:
    """Talk to the model, a line a turn (typed or piped in): it notes what is stated and answers what is asked.

    The conversation is kept in FILE and goes on there the next time. End it with an empty pipe or Ctrl-D.
    """
    from graphmem.core.errors import InvalidValue
    from graphmem.generation.conversation import SessionConfig

    with open_memory(db, namespace=namespace, must_exist=False) as memory:
        session = load_model(memory, base, weights).session(name, SessionConfig(speaker=speaker))
        for line in click.open_file("-", errors="replace"):
            try:
                reply = session.say(line)
            except InvalidValue as error:
                click.echo(f"Error: {error}", err=True)
                continue
            if json_ and line.strip():
                decisions = [decision_line(decision) for decision in reply.plan.decisions]
                click.echo(json.dumps({"turn": line.strip(), "answer": reply.text or None, "decisions": decisions}))
            elif line.strip():
                noted = [f"({decision_line(d)})" for d in reply.plan.decisions if d.action != "skip"]
                click.echo("\n".join([*noted, *([reply.text] if reply.text else [])]) or "(nothing to note)")


@main.command()
@memory_file
@click.argument("text", required=False)
@click.option("--file", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Read this file.")
@click.option("--apply", "apply_", is_flag=True, help="Write what the gate decides; otherwise only show it.")
@click.option("--source", help="Where the text comes from.")
@click.option("--again", is_flag=True, help="Judge sentences anew that were read before.")
@base_model
@weights_folder
@namespace
@as_json
def read(
    db: str, text: str | None, file: Path | None, apply_: bool, source: str | None, again: bool, base: str,
    weights: str | None, namespace: str, json_: bool,
) -> None:  # fmt: skip
    """Let the model read TEXT (or --file) and show what it would write."""
    if (text is None) == (file is None):
        raise click.UsageError("give either TEXT or --file")
    words = text if text is not None else read_text_file(file)
    with open_memory(db, namespace=namespace) as memory:
        source = source or (str(file) if file else None)
        plan = load_model(memory, base, weights).read(words, source=source, again=again)
        entry = memory.apply(plan) if apply_ and plan.edits else None
    if json_:
        return emit({"decisions": plan.decisions, "entry": entry.id if entry else None})
    for decision in plan.decisions:
        click.echo(decision_line(decision))
    if not plan.decisions:
        click.echo("nothing to remember was found")
    elif entry:
        click.echo(f"written as journal entry {entry.id}; take it back with: graphmem undo {db} {entry.id}")


def read_text_file(file: Path | None) -> str:
    """The file's text.

    Raises:
        InvalidValue: it is not UTF-8; the message says at which byte.
    """
    from graphmem.core.errors import InvalidValue

    assert file is not None
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidValue(f"{file} is not UTF-8 (byte {error.start}); convert it first, e.g. with iconv") from None


def decision_line(decision: WriteDecision) -> str:
    """One line: what is done with which fact, how sure the gate is, how surprised the model was."""
    return f"{decision.action:<6} {decision.fact}  (gate {decision.gate:.2f}, surprise {decision.surprise:.2f} nats)"


@main.command()
@memory_file
@click.argument("query")
@click.option("-o", "--output", default="subgraph.html", show_default=True, type=click.Path(path_type=Path))
@click.option("--answer", help="Draw the way to this node; to the best one if left out.")
@click.option("--as-of", help="Search what held at that time.")
@namespace
def picture(db: str, query: str, output: Path, answer: str | None, as_of: str | None, namespace: str) -> None:
    """Draw what QUERY activates, as an HTML file."""
    from graphmem.visualization.subgraph_html import save_subgraph

    with open_memory(db, namespace=namespace) as memory:
        found = memory.retrieve(query, top_k=50, as_of=as_of)
        click.echo(save_subgraph(found, output, answer=answer))


@main.command()
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), default=".", help="Where to write.")
@click.option("--full", is_flag=True, help="All 129,233 facts instead of a connected part.")
@click.option("--quick", is_flag=True, help="Score fewer questions.")
@base_model
def demo(folder: Path, full: bool, quick: bool, base: str) -> None:
    """Show the whole thing at work on the WikiMovies graph."""
    from graphmem.cli.demo import run_demo

    run_demo(folder, full=full, quick=quick, base=base)


TRAINERS = {
    "retriever": "training.retriever.train",
    "fusion": "training.fusion.train",
    "telling": "training.fusion.train_continuation",
    "custom": "training.fusion.custom",
    "reader": "training.reader.train",
    "webnlg": "training.reader.train_webnlg",
    "gate": "training.gate.train",
    "passages": "training.passage_reranker",
    "states": "training.state_tracking.train",
}
EVALUATORS = {
    "retrieval": "evaluation.retrieval",
    "answers": "evaluation.answers",
    "reading": "evaluation.extraction",
    "locality": "evaluation.locality",
    "stories": "evaluation.state_tracking",
}
EXPERIMENTS = {name: f"experiments.{name}" for name in ("integrate", "edit", "reason", "extend", "adapt", "modelling")}
passed_on = {"ignore_unknown_options": True, "help_option_names": []}


@main.command(context_settings=passed_on)
@click.argument("what", metavar="[retriever|fusion|telling|reader|gate|passages|states|webnlg]", default="--help")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def train(ctx: click.Context, what: str, options: tuple[str, ...]) -> None:
    """Train readings for your own model on your own facts, or the parts that ship.

    Your own: `graphmem train --base NAME --data facts.tsv [--questions asked.jsonl] [--config train.toml] --out DIR`.
    Seeded, logged, and resumed where it stopped. `graphmem train WHAT --help` lists the options of each.
    """
    if what.startswith("--") and what != "--help":
        what, options = "custom", (what, *options)
    pass_on(ctx, what, options, TRAINERS)


@main.command(context_settings=passed_on)
@click.argument("what", metavar="{retrieval|answers|reading|locality|stories}", default="--help")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def evaluate(ctx: click.Context, what: str, options: tuple[str, ...]) -> None:
    """Measure retrieval, spoken answers, reading, locality or stories, with the baselines beside it.

    `graphmem evaluate WHAT --help` lists the options of each.
    """
    pass_on(ctx, what, options, EVALUATORS)


@main.command(context_settings=passed_on)
@click.argument("what", metavar="NAME", default="--help")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def experiment(ctx: click.Context, what: str, options: tuple[str, ...]) -> None:
    """Run an experiment: every rival way of giving the model the same facts, beside graphmem, in one run.

    Each writes a table, a plot and a JSON file, and goes on where it was stopped. `graphmem experiment NAME --help`
    lists the options.
    """
    pass_on(ctx, what, options, EXPERIMENTS)


def pass_on(ctx: click.Context, what: str, options: tuple[str, ...], modules: dict[str, str]) -> None:
    """Hand the options to the ``main`` of the module that WHAT names; without one, show the help."""
    from importlib import import_module

    if what in {"-h", "--help"}:
        click.echo(ctx.get_help())
    elif what not in modules:
        raise click.UsageError(f"no {what!r}; choose one of {', '.join(modules)}")
    else:
        import_module(f"graphmem.{modules[what]}").main(list(options))
