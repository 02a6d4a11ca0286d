"""Orders: what an order should be worth now less what it has becomes points earned, points reversed, or a record.

Rules 6, 7, 9, 13, 34 to 36, 48 and 50.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.facts.purchases import buy
from services.earning.decide.facts.referrals import follow_order
from services.earning.decide.facts.stamps import collect, stamps_of_order
from services.earning.decide.points.ladder import Ladder, ladder_of
from services.earning.decide.points.lots import fill_pending, new_lot
from services.earning.decide.points.pending import (
    earn_lot,
    first_with_points,
    release_of,
    wait_anew,
    wait_as_one,
    wait_with_points,
    waiting_sum,
)
from services.earning.decide.points.reversal import forgive, take_back
from services.earning.decide.points.settlement import Settlement, attributes_asked
from services.earning.decide.points.tiers import Qualified, move_tier, qualify, tier_at, together
from services.earning.decide.points.timers import release_lot
from services.earning.decide.value.award import Split, split_of
from services.earning.decide.value.caps import room_for, use, windows_of
from services.earning.decide.value.order_state import Known, OrderFact, known_of, merged
from services.earning.decide.value.valuation import Valuation, exchange_of, value_of
from services.earning.program.terms import Program, Versions
from services.earning.state.keys import OrderState, Pin
from services.earning.state.standing import KeyRow
from shared.facts.orders import Order, OrderCancelled, OrderRefunded
from shared.point_events import FactRecorded, PointsEarned, PointsReversed, RuleShare
from shared.reasons import Reason


def prepare_order(case: Case, data: OrderFact) -> Prepared | None:
    """Take a fact into its order's book; None: it is known already.

    Raises:
        PermanentError: `no_exchange_rate`.
    """
    row = case.row
    before = row.book if row is not None and isinstance(row.book, OrderState) else OrderState()
    book = merged(before, case.fact, data)
    if book is None:
        return None
    if isinstance(data, Order) and data.currency != case.versions.all[0].currency:
        exchange_of(book, case.program.currency)

    def settle(draft: Draft) -> Outcome:
        saved = KeyRow(case.key, draft.standing.member, book, row.lots if row is not None else [])
        draft.keys[case.key] = saved
        if row is not None or not buy(draft, case.versions, saved, book):
            _Settlement(draft, case.versions, saved, book, before, data).settle()
        if draft.standing.referred:
            follow_order(draft, case.versions, case.key, _why(data))
        return Outcome.APPLIED

    return settle


class _Difference(msgspec.Struct, frozen=True):
    """An award less what the order has: by rule and by line; both add up to `points`."""

    points: int
    rules: list[RuleShare]
    lines: dict[str, int]


class _Settlement:
    """One order brought to what its book says it is worth now."""

    __slots__ = ("before", "book", "data", "draft", "known", "program", "row", "versions")

    def __init__(
        self, draft: Draft, versions: Versions, row: KeyRow, book: OrderState, before: OrderState, data: OrderFact
    ) -> None:
        self.draft = draft
        self.versions = versions
        self.row = row
        self.book = book
        self.before = before
        self.data = data
        self.known = known_of(book.changes)
        self.program: Program | None = None

    def settle(self) -> None:
        """Say the difference between what the order has and what it is worth; the book has it then."""
        waits = _waits(self.book, self.known)
        if waits is not None:
            self.draft.say(FactRecorded, key=event_key(self.row.key), reason=waits)
            return
        self._pin(self.known.paid_at or self.draft.occurred_at)
        basis = (self.program or self.versions.all[0]).basis
        worth = value_of(self.program, basis, self.book, self.known.status)
        self.draft.standing.orders_open += worth.counts - self.book.counts
        self.book.counts = worth.counts
        self._move_points(worth)

    def _pin(self, paid_at: datetime) -> None:
        """Pin who and when, the first time; choose the version anew when an earlier payment turned up."""
        book, versions, standing = self.book, self.versions, self.draft.standing
        when = book.placed_at or paid_at
        pin = book.pin
        if pin is not None and pin.when == when:
            self.program = versions.numbered(pin.version) if pin.version else None
            return
        program = self.program = versions.at(when)
        number = program.version if program is not None else 0
        if pin is not None:
            book.pin = replace(pin, version=number, when=when)
            for lot in self.row.lots:
                if self.draft.lot(lot).available_at is None:
                    self.draft.own_lot(lot).when = when
            return
        tier = tier_at(standing, versions, when)
        first, asked = not standing.orders_open, attributes_asked(program, standing)
        book.pin = Pin(number, when, tier, standing.segments, first, book.channel, book.store, asked)
        if program is not None:
            book.caps = windows_of(program, when)

    def _capped(self, worth: Valuation) -> tuple[Split, Reason]:
        """The award as far as the program's caps leave room, split over lines; and why it is nothing, where it is."""
        book, program, deserved = self.book, self.program, worth.award.points
        if program is None or (program.caps.order is None and not book.caps):
            return split_of(worth.award, worth.lines), worth.reason
        renewed = book.sold != self.before.sold or known_of(self.before.changes).status not in {"paid", "fulfilled"}
        room = room_for(self.draft, program, book, renewed=renewed)
        split = split_of(worth.award, worth.lines, room)
        use(self.draft, book.caps, split.points - book.points)
        book.uncapped = deserved
        return split, Reason.CAP_REACHED if deserved and not split.points else worth.reason

    def _move_points(self, worth: Valuation) -> None:
        draft, book, program = self.draft, self.book, self.program
        before = book.points
        if draft.standing.closed and worth.award.points > before:
            split, reason = _held(book), Reason.MEMBER_CLOSED
        else:
            split, reason = self._capped(worth)
        difference = _difference(book, split)
        counted = book.qualified - waiting_sum(draft, self.row) if self._may_wait else book.qualified
        book.lines = split.lines
        book.rules = {share.rule: share.points for share in split.rules if share.points}
        own: dict[str, Any] = {"rules": difference.rules, "lines": difference.lines}
        if difference.points > 0:
            self._earn(difference.points, worth, own)
        elif difference.points < 0:
            self._take_back(-difference.points, own)
        ladder = ladder_of(program)
        changes = self._requalify(worth, ladder, counted)
        releases = wait_anew(draft, self.row, program, self.known)
        present = ladder_of(self.versions.at(draft.standing.clock)) or ladder
        qualified = qualify(draft.standing, present, changes)
        own |= qualified.told
        taking = isinstance(self.data, OrderRefunded | OrderCancelled)
        self._say(difference, own, Reason.NOTHING_CHANGED if before or taking else reason, quiet=bool(releases))
        if releases:
            released = [release_lot(draft, self.versions, number, instant) for number, instant in releases]
            qualified = together([qualified, *released])
        if book.stamps or (program is not None and program.cards):
            qualified = together([qualified, *self._collect(worth)])
        if present is not None and qualified.changes:
            move_tier(draft, present, qualified, event_key(self.row.key))

    def _collect(self, worth: Valuation) -> list[Qualified]:
        """Stamps of the order's units, and what the cards then have more or less of."""
        book, program = self.book, self.program
        stamps = stamps_of_order(program, book) if program is not None and worth.is_due else {}
        if self.draft.standing.closed:
            stamps = {card: min(number, book.stamps.get(card, 0)) for card, number in stamps.items()}
        granting = Settlement(self.draft, self.versions, "stamps_lost")
        collect(granting, self.row, program, book.stamps, stamps)
        book.stamps = stamps
        return granting.moved

    def _earn(self, points: int, worth: Valuation, own: dict[str, Any]) -> None:
        """Put points into a further lot, to wait where the program says so."""
        pin = self.book.pin
        raised_at = self.draft.occurred_at if first_with_points(self.draft, self.row) is not None else None
        release = release_of(self.program, self.known, raised_at)
        change, postings = earn_lot(self.draft, self.row, points, self.program, release, pin.when if pin else None)
        own |= {"lots": [change], "rate": worth.rate, "postings": postings}

    def _take_back(self, points: int, own: dict[str, Any]) -> None:
        """Take points out of lots; a reversal says what was taken, line by line and rule by rule."""
        taken = take_back(self.draft, self.row, points)
        own["lines"] = {line_id: -change for line_id, change in own["lines"].items()}
        own["rules"] = [RuleShare(s.rule, -s.points, s.basis, s.rate, s.multiplier, s.raw) for s in own["rules"]]
        own |= {
            "lots": taken.lots,
            "to_deficit": taken.to_deficit,
            "from_expired": taken.from_expired,
            "postings": {**taken.postings, "reversed": points},
        }

    def _requalify(self, worth: Valuation, ladder: Ladder | None, counted: int) -> dict[str, int]:
        """How the sums of tier windows change: window → change. Lots that wait keep their share until then.

        `counted` is what the order has in its window so far.
        """
        book, draft = self.book, self.draft
        if book.pin is None:
            return {}
        if ladder is None:
            return self._disqualify(counted)
        measure = ladder.tiers.measure
        if measure == "points_earned":
            book.qualified = book.points
            waiting = wait_with_points(draft, self.row) if self._may_wait else 0
        else:
            begins = not book.qualified
            book.qualified = worth.spend if measure == "spend" else int(worth.counts and worth.is_due)
            carrier = self._carrier() if begins and book.qualified else None
            waiting = wait_as_one(draft, self.row, book.qualified, carrier)
        counts = book.qualified - waiting
        window = ladder.key(draft.standing, book.pin.when)
        changes = {window: counts}
        if book.window:
            changes[book.window] = changes.get(book.window, 0) - counted
        book.window = window
        return {name: change for name, change in changes.items() if change}

    def _disqualify(self, counted: int) -> dict[str, int]:
        """Leave the tier window: no version was in force when the order was placed, as turns out now."""
        window, self.book.window = self.book.window, ""
        if not window:
            return {}
        self.book.qualified = 0
        wait_as_one(self.draft, self.row, 0, None)
        return {window: -counted} if counted else {}

    def _carrier(self) -> int | None:
        """The pending lot with which an order's spend, or the order itself, waits to qualify; None: it does not wait.

        It is the one made for its points just now; where it earned none, one without points. A guest's orders all wait.
        """
        draft, row = self.draft, self.row
        release, guest = release_of(self.program, self.known, None), draft.standing.provisional
        if not guest and (not release.waits or (release.at is not None and release.at <= draft.standing.clock)):
            return None
        newest = draft.lots.get(row.lots[-1]) if row.lots else None
        if newest is not None and newest.available_at is None and newest.lot not in draft.rows.lots:
            return newest.lot
        lot = new_lot(draft, row, 0, self._version)
        lot.when = self.book.pin.when if self.book.pin is not None else None
        fill_pending(draft, lot, release.at if release.waits else draft.occurred_at)
        return lot.lot

    @property
    def _may_wait(self) -> bool:
        """Whether the order may have pending lots."""
        may_wait = self.program is not None and self.program.pending is not None
        return may_wait or self.before.pin is not None or self.draft.standing.provisional

    @property
    def _version(self) -> int:
        return self.program.version if self.program is not None else 0

    def _say(self, difference: _Difference, own: dict[str, Any], reason: Reason, *, quiet: bool) -> None:
        """The fact's own event; `quiet`: others say enough where no points move."""
        draft, key, version = self.draft, event_key(self.row.key), self._version
        if difference.points > 0:
            draft.say(PointsEarned, key=key, version=version, points=difference.points, **own)
        elif difference.points < 0:
            why = _why(self.data)
            draft.say(PointsReversed, key=key, version=version, points=-difference.points, reason=why, **own)
            if own["to_deficit"] and self.program is not None and self.program.deficit == "forgive":
                forgive(draft, key, version, own["to_deficit"], why)
        elif not quiet:
            draft.say(FactRecorded, key=key, version=version, reason=reason, **own)


def _waits(book: OrderState, known: Known) -> Reason | None:
    """Why an order can't be decided yet: who and when are pinned once it is known, and paid or fulfilled."""
    if book.sold is None:
        return Reason.WAITS_FOR_ORDER
    if book.pin is None and known.status not in {"paid", "fulfilled"}:
        return Reason.NOTHING_CHANGED if known.status == "cancelled" else Reason.WAITS_FOR_PAYMENT
    return None


def _held(book: OrderState) -> Split:
    """What an order has, as an award."""
    return Split(book.points, [RuleShare(rule, points) for rule, points in book.rules.items()], book.lines)


def _difference(book: OrderState, split: Split) -> _Difference:
    if not book.rules:
        return _Difference(split.points, split.rules, split.lines)
    lines = {i: split.lines.get(i, 0) - book.lines.get(i, 0) for i in {**book.lines, **split.lines}}
    shares = {share.rule: share for share in split.rules}
    rules = []
    for rule in {**book.rules, **shares}:
        share = shares.get(rule) or RuleShare(rule, 0)
        change = share.points - book.rules.get(rule, 0)
        if change:
            rules.append(RuleShare(rule, change, share.basis, share.rate, share.multiplier, share.raw))
    return _Difference(split.points - book.points, rules, {i: change for i, change in lines.items() if change})


def _why(data: OrderFact) -> str:
    """Why points are taken back: what happened to the order."""
    if isinstance(data, OrderRefunded):
        return "refunded"
    return "cancelled" if isinstance(data, OrderCancelled) else "updated"
