"""Plan of what a text would change: facts to write, facts offered, and the edits of both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from graphmem.core.edits import AddNode, Edit, Retire, SupersedeEdge, WriteDecision
from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.protocols import GraphStore
from graphmem.core.types import PASSAGE, Fact
from graphmem.ingestion.documents import split_sentences
from graphmem.writing.checklist import checklist

Accept = Literal["all"] | int | str | Fact | Iterable[int | str | Fact]
"""Offers of a plan: all; or by position, by the name of the object, by the fact itself."""


@dataclass(frozen=True, slots=True)
class WritePlan:
    """What a text would change. ``memory.apply(plan)`` applies ``edits`` in one transaction.

    Printed, it is a checklist: facts to write are ticked, offers are numbered by their positions in ``proposed``.

    Attributes:
        text: the text.
        facts: facts that are sure, by the names that the graph will hold; known ones, which are strengthened, among
            them. Each has its ``factuality``: what is planned, negated or reported is kept as such and never holds;
            what is over is asserted, with its end.
        decisions: one for each candidate, also for those that are skipped.
        edits: the edits that follow from the decisions, and those that keep the text.
        offered_edits: of each offer, in order.
        not_understood: sentences from which nothing was found.
    """

    text: str
    facts: tuple[Fact, ...] = ()
    decisions: tuple[WriteDecision, ...] = ()
    edits: tuple[Edit, ...] = ()
    offered_edits: tuple[tuple[Edit, ...], ...] = ()
    not_understood: tuple[str, ...] = ()

    @property
    def offers(self) -> tuple[WriteDecision, ...]:
        """Decisions that are carried out only where they are accepted."""
        return tuple(decision.offer for decision in self.decisions if decision.offer is not None)

    @property
    def proposed(self) -> tuple[Fact, ...]:
        """Facts that the text may state, not sure enough to be written without being accepted."""
        return tuple(offer.fact for offer in self.offers)

    @property
    def keeps_text(self) -> bool:
        """Whether the text is kept as a document with this plan."""
        return any(isinstance(edit, AddNode) and edit.kind == PASSAGE for edit in self.edits)

    def accepted(self, accept: Accept) -> tuple[int, ...]:
        """Positions in ``proposed`` of the offers that are named.

        Raises:
            InvalidValue: a position, an object or a fact that is not offered.
        """
        if isinstance(accept, str) and accept == "all":
            return tuple(range(len(self.offers)))
        named = list(accept) if isinstance(accept, Iterable) and not isinstance(accept, str) else [accept]
        return tuple(dict.fromkeys(place for one in named for place in self._places(one)))

    def _places(self, named: Any) -> Sequence[int]:
        offers = self.proposed
        if isinstance(named, int) and not isinstance(named, bool):
            found = [named] if 0 <= named < len(offers) else []
        elif isinstance(named, str):
            wanted = normalise(named)
            found = [at for at, fact in enumerate(offers) if wanted in (normalise(fact.object), normalise(str(fact)))]
        else:
            found = [at for at, fact in enumerate(offers) if fact == named]
        if not found:
            raise InvalidValue(
                f"accept: {named!r:.80} is not offered; name offers by position (0 to {len(offers) - 1}), by object or "
                "as one of plan.proposed" if offers else f"accept: {named!r:.80}: the plan offers nothing"
            )  # fmt: skip
        return found

    def edits_with(self, accept: Accept = ()) -> list[Edit]:
        """The edits, and those of the offers that are accepted.

        An offer that would replace a fact which an edit before it ends is added beside the others.

        Raises:
            InvalidValue: see ``accepted``.
        """
        edits, more = list(self.edits), [edit for place in self.accepted(accept) for edit in self.offered_edits[place]]
        ended = {edit.edge for edit in edits if isinstance(edit, SupersedeEdge)}
        ended |= {edit.id for edit in edits if isinstance(edit, Retire)}
        for edit in more:
            if isinstance(edit, SupersedeEdge):
                edits.append(edit.by if edit.edge in ended else edit)
                ended.add(edit.edge)
            else:
                edits.append(edit)
        return edits

    def changed(self, accept: Accept = ()) -> set[int]:
        """Ids of the held facts that the plan ends or replaces, with the offers that are accepted."""
        offers = self.offers
        carried = [*self.decisions, *(offers[place] for place in self.accepted(accept))]
        ids = {d.evidence.get("against_id") for d in carried if d.action in ("update", "retire")}
        return {edge for edge in ids if edge is not None}

    def finish(self, store: GraphStore) -> None:
        """Find the sentences of the passages that keep the text, once the edits are applied. Writes."""
        if self.keeps_text:
            split_sentences(store)

    def __str__(self) -> str:
        lines = checklist(self.decisions, self.not_understood, kept=self.keeps_text)
        return "\n".join(lines) or "nothing is found in the text"
