"""Changes between two documents of a program, in words: what is new for members, and from when."""

from __future__ import annotations

from typing import Literal, NamedTuple

from services.earning.program.authoring import describe
from services.earning.program.document import Document

Kind = Literal["new", "gone", "changed"]

_ORDERS = "For orders from then on; orders of before, with their refunds, keep the version that awarded them."
EFFECTS = {
    describe.HEAD: "",
    describe.RULES: _ORDERS,
    describe.CAMPAIGNS: "For orders from then on; orders of before keep what they had.",
    describe.BEYOND: "For what happens from then on; what was rewarded before keeps the version that did.",
    describe.TIERS: "Members rise at once; they fall only when the time is over for which they hold their tier.",
    describe.LIFE: (
        "For points of orders from then on. Where inactivity begins to end points, everybody's time starts then."
    ),
    describe.REWARDS: "For redemptions that are asked for from then on.",
    describe.SETTINGS: _ORDERS,
}
"""Section of the description → whom a change in it reaches, and when."""


class Change(NamedTuple):
    """One thing that differs: its section, what it is about, and its sentences (none: it was not, or is not, there)."""

    section: str
    about: str
    before: str | None
    after: str | None

    @property
    def kind(self) -> Kind:
        """Whether it is new, gone, or said otherwise."""
        if self.before is None:
            return "new"
        return "gone" if self.after is None else "changed"


def changes(before: Document, after: Document) -> list[Change]:
    """What differs for members, in the order of the description; the instant of force is left to its publication."""
    found = []
    old, new = describe.sentences(before), describe.sentences(after)
    for section, lines in new.items():
        known = old[section]
        for about in [*known, *(about for about in lines if about not in known)]:
            change = Change(section, about, known.get(about), lines.get(about))
            if change.before != change.after and about != "effective_from":
                found.append(change)
    return [*found, *_reordered(before, after)]


def _reordered(before: Document, after: Document) -> list[Change]:
    """Entries whose order says who comes first: rules where the first by priority counts, and tiers."""
    orders: list[tuple[str, list[str], list[str]]] = []
    if after.orders.stacking == "first":
        orders.append((describe.RULES, [rule.id for rule in before.rules], [rule.id for rule in after.rules]))
    if before.tiers and after.tiers:
        ladders = [[level.id for level in tiers.levels] for tiers in (before.tiers, after.tiers)]
        orders.append((describe.TIERS, ladders[0], ladders[1]))
    return [
        Change(section, "order", ", ".join(old), ", ".join(new))
        for section, old, new in orders
        if sorted(old) == sorted(new) and old != new
    ]


def tell(found: list[Change]) -> str:
    """Changes as Markdown: section by section, with whom they reach."""
    if not found:
        return "Nothing changes for members.\n"
    parts = []
    for section in dict.fromkeys(change.section for change in found):
        title = f"## {section}\n\n" if section else ""
        lines = [_line(change) for change in found if change.section == section]
        effect = f"\n{EFFECTS[section]}\n" if EFFECTS[section] else ""
        parts.append(title + "".join(lines) + effect)
    return "\n".join(parts)


def _line(change: Change) -> str:
    if change.kind == "changed":
        return f"- was: {change.before}\n- now: {change.after}\n"
    return f"- {change.kind}: {change.after or change.before}\n"
