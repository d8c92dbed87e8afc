"""Plan of a text as a checklist: what would be written, from which words, what it replaces, and what is offered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from graphmem.core.edits import WriteDecision
from graphmem.text.printing import confidence, interval, one_line, printable

MAX_LISTED = 20
"""Sentences that were not understood which are listed unless all are asked for."""


def decision_line(decision: WriteDecision) -> str:
    """One line: the action, the fact with its valid interval, what it replaces, and how sure it is.

    Of a skipped fact, the reason in place of the last two.
    """
    against = decision.evidence.get("against")
    fact, instead = decision.fact, decision.action == "update" and against
    undated = {"update": "  [from now on]", "retire": "  [until now]"}.get(decision.action, "")
    head = f"{decision.action:<6} {printable(fact)}{interval(fact) or undated}"
    if fact.factuality != "asserted":
        head += f"  {fact.factuality}"
    if decision.action == "skip":
        return f"{head}  ({printable(skip_reason(decision))})"
    return f"{head}{f'  (instead of: {printable(against)})' if instead else ''}  {confidence(fact.confidence)}"


def skip_reason(decision: WriteDecision) -> str:
    """Why a candidate is not written."""
    evidence = decision.evidence
    if decision.offer is not None:
        return "not sure enough: offered"
    if "repeats" in evidence:
        return "known already"
    if "read_before" in evidence:
        return "read before"
    if "held_back" in evidence:
        return str(evidence["held_back"])
    if evidence.get("factuality") == "alias":
        return "the name is taken, or the source is not trusted enough"
    if evidence.get("factuality", "asserted") != "asserted":
        return f"the text does not assert it: {evidence['factuality']}"
    return "the gate would not write it"


def checklist(
    decisions: Sequence[WriteDecision], not_understood: Sequence[str] = (), *, kept: bool = False,
    everything: bool = False,
) -> Iterator[str]:  # fmt: skip
    """Lines of a checklist: facts to write, offers with their positions, a summary of the rest.

    Args:
        decisions: of a plan, in its order.
        not_understood: sentences from which nothing was found.
        kept: whether the text is kept as a passage.
        everything: also list each skipped fact with the reason, and all the sentences.
    """
    for decision in decisions:
        if decision.action != "skip":
            yield f"[x] {decision_line(decision)}"
            yield from _words(decision)
    offered = [(decision, decision.offer) for decision in decisions if decision.offer is not None]
    for position, (decision, offer) in enumerate(offered):
        yield f"[ ] {position}: {decision_line(offer)}"
        yield from _words(offer)
        if "offered" in decision.evidence:
            yield f"      only offered: {decision.evidence['offered']}"
    skipped = [decision for decision in decisions if decision.action == "skip" and decision.offer is None]
    if everything:
        yield from (f"    {decision_line(decision)}" for decision in skipped)
    elif skipped:
        reasons = Counter(map(skip_reason, skipped))
        summary = "; ".join(f"{count} {one_line(why, 80)}" for why, count in reasons.most_common())
        yield f"{len(skipped)} skipped: {summary}"
    if not_understood:
        yield "not understood:"
        shown = not_understood if everything else not_understood[:MAX_LISTED]
        yield from (f"    {one_line(sentence)}" for sentence in shown)
        if len(shown) < len(not_understood):
            yield f"    … {len(not_understood) - len(shown):,} more"
    if kept:
        yield "[x] keep   the text, as a document"


def _words(decision: WriteDecision) -> Iterator[str]:
    if decision.fact.text:
        yield f"      from: {one_line(decision.fact.text)}"
