"""``graphmem chat``: a conversation at the terminal or through a pipe, with commands about what was written and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import click

from graphmem.adapters.light_imports import light_imports
from graphmem.cli.lines import fact_line, print_entries
from graphmem.cli.main import base_model, memory_command, weights_folder
from graphmem.cli.model import load_model
from graphmem.core.edits import JournalEntry, Retire
from graphmem.core.errors import GraphMemError, InvalidValue, NotFound
from graphmem.core.names import check_name, unstorable
from graphmem.core.types import Fact
from graphmem.text.printing import lines_of, printable
from graphmem.writing.checklist import decision_line

if TYPE_CHECKING:
    from graphmem.generation.conversation import Reply, Session
    from graphmem.memory import GraphMemory

HELP = """\
Say what is to be remembered, or ask. Lines that begin with a slash are commands:
  /facts [NAME]   facts written in this conversation, or facts about NAME
  /why            the facts behind the last answer, and how sure the memory was
  /undo           undo the facts that were written last in this conversation
  /forget NUMBER  take one fact, by its number, out of the present
  /name NAME      your name, so that statements with "I" and "my" can be written
  /help           this list
  /quit           the end, as Ctrl-D"""

RECENT = 200
"""Journal entries in which the facts of a conversation are looked for."""


@memory_command(must_exist=False)
@click.option("--session", "name", default="default", show_default=True, help="The conversation to continue.")
@click.option("--speaker", help="Your name, so that statements in the first person can be written; it is remembered.")
@base_model
@weights_folder
def chat(memory: GraphMemory, name: str, speaker: str | None, base: str, weights: str | None, json_: bool) -> None:
    """Converse with the model, a line a turn: statements are written to the memory, questions are answered.

    The conversation is kept in the memory file and is continued there. /help lists commands (/facts, /why, /undo ...);
    /quit or Ctrl-D ends it. At a terminal it asks for your name once, unless --speaker gives it.
    """
    with light_imports():
        from graphmem.generation.conversation import SessionConfig

    session = load_model(memory, base, weights).session(name, SessionConfig(speaker=speaker))
    Chat(session, interactive=sys.stdin.isatty() and not json_, as_json=json_).run()


class Chat:
    """A conversation over standard input: prompts and a greeting where it is interactive, JSON lines on request."""

    def __init__(self, session: Session, *, interactive: bool, as_json: bool = False) -> None:
        self.session, self.interactive, self.as_json = session, interactive, as_json
        self.memory: GraphMemory = session.model.memory
        self.last: Reply | None = None
        self.warned = False

    def run(self) -> None:
        """Process turns and commands until the input or the user ends it."""
        if self.interactive:
            if isinstance(sys.stdin, TextIOWrapper):
                sys.stdin.reconfigure(errors="surrogateescape")  # a line that is no UTF-8 is refused, it alone
            self._greet()
        elif self.session.config.speaker is None:
            click.echo('no --speaker is given: statements with "I" or "my" will not be written', err=True)
        for line in self._lines():
            text = line.strip()
            if text in ("/quit", "/exit"):
                break
            try:
                if reason := unstorable(text):
                    raise InvalidValue(f"the line {reason}; it was not read")
                if text.startswith("/"):
                    self._command(*text.partition(" ")[::2])
                elif text:
                    self._say(text)
            except GraphMemError as error:
                click.echo(f"Error: {error}", err=True)
            except KeyboardInterrupt:
                if not self.interactive:
                    raise
                click.echo("(interrupted)")

    def _lines(self) -> Iterator[str]:
        if not self.interactive:
            yield from click.open_file("-", errors="surrogateescape")
            return
        while (line := self._ask("> ")) is not None:
            yield line

    @staticmethod
    def _ask(prompt: str) -> str | None:
        """A line from the terminal; None at its end."""
        try:
            return input(prompt)
        except EOFError:
            click.echo()
            return None
        except KeyboardInterrupt:
            click.echo()
            raise

    def _greet(self) -> None:
        try:
            import readline  # noqa: F401  (line editing and history for input())
        except ImportError:
            pass
        turns = ", continued" if self.session.count else ""
        click.echo(f"conversation {self.session.name!r}{turns}; /help lists the commands, /quit ends it")
        while self.session.config.speaker is None:
            name = (self._ask('Your name, so that "I" can be written (Enter to go without): ') or "").strip()
            if not name:
                return click.echo('statements with "I" or "my" will not be written until you give it: /name NAME')
            try:
                self._name(name)
            except InvalidValue as error:
                click.echo(f"Error: {error}", err=True)

    def _say(self, text: str) -> None:
        reply = self.session.say(text)
        self.last = reply if reply.text else self.last
        if self.as_json:
            decisions = [decision_line(decision) for decision in reply.plan.decisions]
            return self._json(text, reply.text or None, decisions)
        for decision in reply.plan.decisions:
            if decision.action != "skip":
                click.echo(f"({decision_line(decision)})")
        if reply.text:
            click.echo(lines_of(reply.text))
            explained = getattr(reply.answer, "explanation", None)
            if explained is not None and explained.operation == "verify" and explained.members:
                click.echo(f"  because {printable(explained.members[0].evidence[0])}")
            return
        if reply.entry is None:
            click.echo("(nothing written)")
            self._explain_first_person(text)

    def _explain_first_person(self, text: str) -> None:
        from graphmem.generation.turns import resolve_first_person

        if self.session.config.speaker is None and not self.warned and resolve_first_person(text, "") != text:
            self.warned = True
            click.echo('(whose "I" or "my" that is, is not known: give your name with /name NAME or --speaker NAME)')

    def _json(self, turn: str, answer: str | None, decisions: list[str]) -> None:
        click.echo(json.dumps({"turn": turn, "answer": answer, "decisions": decisions}, ensure_ascii=False))

    def _command(self, command: str, rest: str) -> None:
        commands = {"/facts": self._facts, "/why": self._why, "/undo": self._undo, "/forget": self._forget,
                    "/name": self._name, "/help": lambda _: click.echo(HELP)}  # fmt: skip
        if command not in commands:
            raise InvalidValue(f"there is no command {command}; /help lists them")
        if not self.as_json:
            return commands[command](rest.strip())
        import io
        from contextlib import redirect_stdout

        with redirect_stdout(io.StringIO()) as printed:
            commands[command](rest.strip())
        self._json(f"{command} {rest}".strip(), printed.getvalue().rstrip("\n"), [])

    def _facts(self, name: str) -> None:
        if name:
            facts = self.memory.store.facts_page(self.memory.store.find(name))[1]
        else:
            ids = [number for entry in self._written() for number in entry.edge_ids]
            facts = self.memory.store.facts_by_id(list(dict.fromkeys(ids[::-1]))) if ids else []
        for fact in facts:
            click.echo(fact_line(fact))
        if not facts:
            click.echo(f"no facts about {printable(name)}" if name else "nothing was written in this conversation")

    def _written(self) -> list[JournalEntry]:
        """The entries of this conversation that wrote facts and are not undone, newest first."""
        _, entries = self.memory.store.journal_page(RECENT)
        return [
            entry
            for entry in entries
            if entry.action == "read" and not entry.undone and entry.edge_ids
            and any(change.source == self.session.node for change in self.memory.store.changes_of(entry))
        ]  # fmt: skip

    def _why(self, _: str) -> None:
        if self.last is None:
            return click.echo("nothing was asked yet")
        answer: Any = self.last.answer
        if answer is None:
            return click.echo("the answer comes from the language model and the last turns, not from the memory")
        if answer.explanation is not None and answer.explanation.question:
            click.echo(f"read as: {printable(answer.explanation.question)}")
        quotes = [item for item in answer.evidence if not isinstance(item, Fact)]
        for fact in answer.path:
            click.echo(f"because {fact_line(fact).partition(chr(9))[2]}")
        for quote in quotes if answer.status == "answered" else ():
            click.echo(f"because {printable(quote)}")
        if answer.status in ("not_known", "ambiguous"):
            click.echo("the memory does not say")
        elif not answer.path and not quotes:
            click.echo("no chain of facts leads to the answer: the language model may have made it up")
        click.echo(f"probability that the memory holds the answer: {100 * answer.answerable:.0f} %")

    def _undo(self, _: str) -> None:
        entries = self._written()
        if not entries:
            raise NotFound("nothing that was written in this conversation is left to undo")
        print_entries(self.memory, [self.memory.undo(entries[0])])

    def _forget(self, number: str) -> None:
        if not number.isdecimal():
            raise InvalidValue("/forget needs the number of a fact; /facts lists them")
        self.memory.store.apply([Retire(int(number))], action="retire", note="forgotten in a conversation")
        click.echo(f"fact {number} is out of the present; graphmem undo restores it")

    def _name(self, name: str) -> None:
        self.session.config = replace(self.session.config, speaker=check_name(name))
        click.echo(f'"I" is {printable(self.session.config.speaker)}')
