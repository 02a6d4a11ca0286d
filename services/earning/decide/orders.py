"""Orders: what an order should be worth now less what it has becomes points earned, points reversed, or a record."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from services.earning.books import OrderBook, Pin
from services.earning.decide.award import Award
from services.earning.decide.draft import Draft, public
from services.earning.decide.lots import new_lot
from services.earning.decide.order_state import Known, OrderFact, known_of
from services.earning.decide.reversal import take_back
from services.earning.decide.tiers import Ladder, base_of, ladder_of, move_tier, qualify, tier_at
from services.earning.decide.worth import Worth, worth_of
from services.earning.program.terms import Program, Versions
from services.earning.source_events.facts import OrderCancelled, OrderRefunded
from services.earning.standing import BusinessKey, KeyRow
from shared.point_events import DeficitForgiven, FactRecorded, Key, PointsEarned, PointsReversed, RuleShare
from shared.reasons import Reason


def settle_order(
    draft: Draft, versions: Versions, key: BusinessKey, row: KeyRow | None, book: OrderBook, data: OrderFact
) -> None:
    """Bring an order to what its book says it is worth now.

    `book` is the draft's own; `row` is the order's row as loaded, None for an order never heard of.
    """
    saved = KeyRow(key, draft.standing.member, book, row.lots if row is not None else [])
    draft.keys[key] = saved
    known = known_of(book.changes)
    waits = _waits(book, known)
    if waits is not None:
        draft.say(FactRecorded, key=public(key), reason=waits)
        return
    program = _pin(draft, versions, book, known.paid_at or draft.occurred_at)
    worth = worth_of(program, (program or versions.all[0]).basis, book, known.status)
    draft.standing.orders_open += worth.counts - book.counts
    book.counts = worth.counts
    present = versions.at(draft.standing.clock)
    _move_points(draft, saved, book, worth, data, program, present)


def _waits(book: OrderBook, known: Known) -> Reason | None:
    """Why an order can't be decided yet: who and when are pinned once it is known, and paid or fulfilled."""
    if book.sold is None:
        return Reason.WAITS_FOR_ORDER
    if book.pin is None and known.status not in {"paid", "fulfilled"}:
        return Reason.NOTHING_CHANGED if known.status == "cancelled" else Reason.WAITS_FOR_PAYMENT
    return None


def _pin(draft: Draft, versions: Versions, book: OrderBook, paid_at: datetime) -> Program | None:
    """Pin who and when, the first time; choose the version anew when an earlier payment turned up."""
    when = book.placed_at or paid_at
    if book.pin is not None and book.pin.when == when:
        return versions.numbered(book.pin.version) if book.pin.version else None
    program = versions.at(when)
    number = program.version if program is not None else 0
    if book.pin is not None:
        pin = book.pin
        book.pin = Pin(number, when, pin.tier, pin.segments, pin.first_order, pin.channel, pin.store)
        return program
    standing = draft.standing
    tier = tier_at(standing, base_of(versions, when), when)
    book.pin = Pin(number, when, tier, standing.segments, not standing.orders_open, book.channel, book.store)
    return program


def _move_points(
    draft: Draft,
    row: KeyRow,
    book: OrderBook,
    worth: Worth,
    data: OrderFact,
    program: Program | None,
    present: Program | None,
) -> None:
    """Say the difference between what the order has and what it is worth; the book has it then.

    `program` is the version pinned, `present` the one in force at the standing's clock, whose tiers count.
    """
    before = book.points
    difference = _difference(book, worth.award)
    book.lines = {line_id: share for line_id, share in worth.award.lines.items() if share}
    book.rules = {share.rule: share.points for share in worth.award.rules if share.points}
    ladder = ladder_of(present) or ladder_of(program)
    qualified = qualify(draft.standing, ladder, _requalified(book, worth, ladder_of(program)))
    own: dict[str, Any] = {"rules": difference.rules, "lines": difference.lines, **qualified.told}
    key = public(row.key)
    version = program.version if program is not None else 0
    if difference.points > 0:
        lot, postings = new_lot(draft, row, difference.points)
        postings["earned"] = -difference.points
        own |= {"points": difference.points, "lots": [lot], "rate": worth.rate}
        draft.say(PointsEarned, key=key, version=version, postings=postings, **own)
    elif difference.points < 0:
        reverse(draft, row, program, key, -difference.points, own | {"reason": _why(data)})
    else:
        taking = isinstance(data, OrderRefunded | OrderCancelled)
        reason = Reason.NOTHING_CHANGED if before or taking else worth.reason
        draft.say(FactRecorded, key=key, version=version, reason=reason, **own)
    if ladder is not None and qualified.changes:
        move_tier(draft, ladder, qualified, key)


class _Difference(NamedTuple):
    """An award less what the order has: by rule and by line; both add up to `points`."""

    points: int
    rules: list[RuleShare]
    lines: dict[str, int]


def _difference(book: OrderBook, award: Award) -> _Difference:
    if not book.rules:
        return _Difference(award.points, award.rules, award.lines)
    lines = {i: award.lines.get(i, 0) - book.lines.get(i, 0) for i in {**book.lines, **award.lines}}
    shares = {share.rule: share for share in award.rules}
    rules = []
    for rule in {**book.rules, **shares}:
        share = shares.get(rule) or RuleShare(rule, 0)
        change = share.points - book.rules.get(rule, 0)
        if change:
            rules.append(RuleShare(rule, change, share.basis, share.rate, share.multiplier, share.raw))
    return _Difference(award.points - book.points, rules, {i: change for i, change in lines.items() if change})


def _requalified(book: OrderBook, worth: Worth, ladder: Ladder | None) -> dict[str, int]:
    """How the sums of tier windows change: window → change. The book has the new ones then."""
    if ladder is None or book.pin is None:
        return {}
    amount = worth.award.points if ladder.tiers.measure == "points_earned" else worth.spend
    window = ladder.window(book.pin.when).key
    changes = {window: amount}
    if book.window:
        changes[book.window] = changes.get(book.window, 0) - book.qualified
    book.window, book.qualified = window, amount
    return {name: change for name, change in changes.items() if change}


def _why(data: OrderFact) -> str:
    """Why points are taken back: what happened to the order."""
    if isinstance(data, OrderRefunded):
        return "refunded"
    return "cancelled" if isinstance(data, OrderCancelled) else "updated"


def reverse(draft: Draft, row: KeyRow, program: Program | None, key: Key, points: int, own: dict[str, Any]) -> None:
    """Take points of an award back, and forgive what is not there where the program says so.

    `own` is what the event says besides, with changes as seen from the award; a reversal says what was taken.
    """
    taken = take_back(draft, row, points)
    version = program.version if program is not None else 0
    own["lines"] = {line_id: -change for line_id, change in own["lines"].items()}
    own["rules"] = [RuleShare(s.rule, -s.points, s.basis, s.rate, s.multiplier, s.raw) for s in own["rules"]]
    own |= {"points": points, "lots": taken.lots, "to_deficit": taken.to_deficit, "from_expired": taken.from_expired}
    postings = {**taken.postings, "reversed": points}
    draft.say(PointsReversed, key=key, version=version, postings=postings, **own)
    if taken.to_deficit and program is not None and program.deficit == "forgive":
        forgiven = {"deficit": taken.to_deficit, "forgiven": -taken.to_deficit}
        draft.say(
            DeficitForgiven, key=key, version=version, postings=forgiven, points=taken.to_deficit, reason=own["reason"]
        )
