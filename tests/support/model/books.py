"""What must hold in the core's own books after every event, whatever the facts (rules 12, 31)."""

from __future__ import annotations

from collections.abc import Sequence

from services.earning.state.standing import Lot, Standing
from shared.point_events import Balances, EventData
from tests.support.model.account import COUNTERS

GROWS_WITH_PLUS = ("available", "pending", "reversed", "redeemed", "expired", "reverted", "transferred_out")
PLUS = ("earned", "restored", "adjusted", "imported", "expired_reversed", "forgiven", "reinstated", "transferred_in")
MINUS = ("transferred_out", "reversed", "redeemed", "expired", "reverted")
MAY_FALL = ("adjusted", "transferred_in", "transferred_out", "imported")


def equation(balances: Balances) -> bool:
    """Rule 31."""
    plus = sum(getattr(balances, name) for name in PLUS)
    minus = sum(getattr(balances, name) for name in MINUS)
    return bool(balances.available + balances.pending - balances.deficit == plus - minus)


def _after(before: Balances, event: EventData) -> list[str]:
    """What an event's postings do to balances, compared with what it says they are."""
    found = []
    if sum(event.postings.values()):
        found.append(f"{event.TYPE}: postings don't balance: {event.postings}")
    for name in ("available", "pending", "deficit", *COUNTERS):
        sign = 1 if name in GROWS_WITH_PLUS else -1
        expected = getattr(before, name) + sign * event.postings.get(name, 0)
        if getattr(event.balances, name) != expected:
            found.append(f"{event.TYPE}: {name} is {getattr(event.balances, name)}, by its postings {expected}")
        if name in COUNTERS and name not in MAY_FALL and getattr(event.balances, name) < getattr(before, name):
            found.append(f"{event.TYPE}: {name} fell")
    return found


def broken(before: Standing | None, after: Standing, events: Sequence[EventData], lots: Sequence[Lot]) -> list[str]:
    """Every promise of the books that a decision broke, in words."""
    found: list[str] = []
    balances = before.balances if before is not None else Balances()
    sequence = before.sequence if before is not None else 0
    for event in events:
        sequence += 1
        found += _after(balances, event)
        balances = event.balances
        if event.sequence != sequence:
            found.append(f"{event.TYPE}: sequence {event.sequence}, expected {sequence}")
        if not equation(balances):
            found.append(f"{event.TYPE}: rule 31 doesn't hold: {balances}")
        if min(balances.available, balances.pending, balances.deficit) < 0:
            found.append(f"{event.TYPE}: a balance below zero: {balances}")
        if balances.deficit and balances.available:
            found.append(f"{event.TYPE}: available points beside a deficit (rule 12): {balances}")
    if balances != after.balances:
        found.append(f"the standing has {after.balances}, its last event {balances}")
    held = sum(lot.remaining for lot in lots if lot.available_at is not None)
    waiting = sum(lot.remaining for lot in lots if lot.available_at is None)
    if (held, waiting) != (balances.available, balances.pending):
        found.append(f"lots hold {held} and {waiting} pending, balances {balances.available} and {balances.pending}")
    return found
