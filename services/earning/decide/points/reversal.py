"""Reversals: where points that an award no longer deserves are taken from, and what is owed or forgiven then.

Rules 12 and 57.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from services.earning.decide.core.draft import Draft, event_key, postings_of
from services.earning.decide.points.lots import spendable
from services.earning.program.terms import Program
from services.earning.state.standing import KeyRow, Lot
from shared.point_events import DeficitForgiven, Key, LotChange, PointsReversed, RuleShare


class Taken(NamedTuple):
    """What a reversal took: out of which lots, by account (as postings), what was expired, and what was not there."""

    lots: list[LotChange]
    postings: dict[str, int]
    to_deficit: int
    from_expired: int


def take_back(draft: Draft, row: KeyRow | None, points: int) -> Taken:
    """Take points back: from a key's own pending lots, its available ones, its expired part, then the member's others.

    The rest is owed.
    """
    taking = _Taking(draft, points)
    if row is not None:
        own = sorted((draft.lot(number) for number in row.lots), key=lambda lot: -lot.lot)
        taking.take(own, lambda lot: lot.available_at is None)
        taking.take(own, lambda lot: lot.available_at is not None)
        taking.take_expired(own)
    beside = min(taking.rest, draft.standing.balances.available - taking.available)
    if beside:
        taking.take(spendable(draft, beside, row), lambda _: True)
    return taking.result()


class _Taking:
    """Points still to be taken, and what was taken so far."""

    def __init__(self, draft: Draft, points: int) -> None:
        self._draft = draft
        self.rest = points
        self.available = 0
        self.pending = 0
        self.expired = 0
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

    def take_expired(self, lots: Iterable[Lot]) -> None:
        """Take what has expired of the lots: nobody loses the same point twice."""
        for lot in lots:
            part = min(self.rest, lot.expired)
            if part:
                self._draft.own_lot(lot.lot).expired -= part
                self.expired += part
                self.rest -= part

    def result(self) -> Taken:
        """All that was taken; what is missing is owed."""
        postings = postings_of(
            available=-self.available, pending=-self.pending, deficit=-self.rest, expired_reversed=-self.expired
        )
        return Taken(self._lots, postings, self.rest, self.expired)


def reverse(
    draft: Draft, row: KeyRow, program: Program | None, points: int, reason: str, rules: list[RuleShare]
) -> PointsReversed:
    """Take points of a key back; gives the event that says so, which is not recorded yet."""
    taken = take_back(draft, row, points)
    return PointsReversed(
        key=event_key(row.key),
        program_version=program.version if program is not None else 0,
        postings={**taken.postings, "reversed": points},
        points=points,
        reason=reason,
        rules=rules,
        lots=taken.lots,
        to_deficit=taken.to_deficit,
        from_expired=taken.from_expired,
    )


def forgive_owed(draft: Draft, program: Program | None, key: Key | None, owed: int, reason: str) -> None:
    """Forgive what was taken back and not there, where the program does."""
    if owed and program is not None and program.forgives:
        forgive(draft, key, program.version, owed, reason)


def forgive(draft: Draft, key: Key | None, version: int, points: int, reason: str) -> None:
    """Let go what the member owes."""
    postings = {"deficit": points, "forgiven": -points}
    draft.record(DeficitForgiven(key=key, program_version=version, postings=postings, points=points, reason=reason))
