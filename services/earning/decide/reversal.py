"""Reversals: where points that an award no longer deserves are taken from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from services.earning.decide.draft import Draft
from services.earning.standing import KeyRow, Lot, RowsMissingError, SpendingOrder
from shared.point_events import LotChange


class Taken(NamedTuple):
    """What a reversal took: out of which lots, by account (as postings), and what was not there."""

    lots: list[LotChange]
    postings: dict[str, int]
    to_deficit: int
    from_expired: int


def take_back(draft: Draft, row: KeyRow, points: int) -> Taken:
    """Take points back from a key's own lots, then from the member's others; the rest is owed."""
    taking = _Taking(draft, points)
    own = sorted((draft.lot(number) for number in row.lots), key=lambda lot: -lot.lot)
    taking.take(own, lambda lot: lot.available_at is None)
    taking.take(own, lambda lot: lot.available_at is not None)
    available = draft.standing.balances.available - taking.available
    beside = min(taking.rest, available)
    if beside:
        taking.take(_others(draft, row, beside), lambda _: True)
    return taking.result()


class _Taking:
    """Points still to be taken, and what was taken so far."""

    def __init__(self, draft: Draft, points: int) -> None:
        self._draft = draft
        self._points = points
        self.rest = points
        self.available = 0
        self.pending = 0
        self._lots: list[LotChange] = []

    def take(self, lots: Iterable[Lot], wanted: Callable[[Lot], bool]) -> None:
        """Take what is missing out of the lots wanted, in their order."""
        for lot in lots:
            part = min(self.rest, lot.remaining)
            if not part or not wanted(lot):
                continue
            if lot.available_at is None:
                self.pending += part
            else:
                self.available += part
            self.rest -= part
            self._lots.append(self._draft.change_lot(lot.lot, -part))

    def result(self) -> Taken:
        """All that was taken; what is missing is owed."""
        postings = {"available": -self.available, "pending": -self.pending, "deficit": -self.rest}
        return Taken(self._lots, {account: change for account, change in postings.items() if change}, self.rest, 0)


def spending_order(lot: Lot) -> SpendingOrder:
    """Where a lot stands among those that are spent: soonest expiry, then age, then number."""
    return SpendingOrder(lot.expires_at is None, lot.expires_at, lot.earned_at, lot.lot)


def _others(draft: Draft, row: KeyRow, points: int) -> list[Lot]:
    """The member's other spendable lots in the order of consumption, worth at least `points`.

    Raises:
        RowsMissingError: there are more than were loaded, and they are needed.
    """
    rows = draft.rows
    spendable = [lot for lot in draft.visible_lots() if lot.remaining and lot.available_at and lot.key != row.key]
    if not rows.all_lots:
        horizon = rows.horizon
        spendable = [lot for lot in spendable if horizon is not None and spending_order(lot) <= horizon]
    missing = points - sum(lot.remaining for lot in spendable)
    if missing > 0:
        raise RowsMissingError(missing)
    return sorted(spendable, key=spending_order)
