"""Purchases: an order's first payment, decided in one go where nothing but prices and the program's rules counts.

Rules 1 to 5.

The commonest fact by far. `orders` would give the same, by way of everything that may happen to an order later; a
property compares the two.
"""

from __future__ import annotations

from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.points.ladder import ladder_of
from services.earning.decide.points.pending import earn_lot, release_of, wait_with_points
from services.earning.decide.points.tiers import move_tier, qualify, tier_at
from services.earning.decide.value.award import SAME_CURRENCY, Split, award_of, deal_of, firing, split_of
from services.earning.decide.value.basis import Lines
from services.earning.decide.value.conditions import applying
from services.earning.decide.value.order_state import Known
from services.earning.decide.value.plans import Plan, plan_of
from services.earning.program.terms import Program, Versions
from services.earning.state.keys import PAID, OrderState, Pin, Sold
from services.earning.state.standing import KeyRow
from shared.point_events import PointsEarned


def buy(draft: Draft, versions: Versions, row: KeyRow, book: OrderState) -> bool:
    """Award an order by its first fact. False: it is not a plain payment that earns, and nothing was done."""
    sold, standing = book.sold, draft.standing
    when = book.placed_at or draft.occurred_at
    program = versions.at(when)
    if sold is None or program is None or standing.closed or standing.provisional or book.changes[0].rank != PAID:
        return False
    plan = plan_of(program)
    values = [line.subtotal - line.discount for line in sold.lines]
    if not plan.plain or not _is_plain(sold, program) or min(values, default=0) < 0:
        return False
    tier = tier_at(standing, versions, when)
    pin = Pin(program.version, when, tier, standing.segments, not standing.orders_open, book.channel, book.store)
    split = _award(plan, pin, sold, values)
    if not split.points:
        return False
    book.pin, book.counts = pin, True
    book.lines, book.rules = split.lines, {share.rule: share.points for share in split.rules if share.points}
    standing.orders_open += 1
    _earn(draft, versions, program, row, book, split, sum(values))
    return True


def _is_plain(sold: Sold, program: Program) -> bool:
    """Whether prices, after the lines' own discounts, are what earns."""
    return (
        sold.currency == program.currency
        and sold.prices_include_tax is program.basis.tax
        and not (sold.discount or sold.points_payment or sold.shipping or sold.shipping_tax or sold.test)
        and True not in [line.gift_card for line in sold.lines]
    )


def _award(plan: Plan, pin: Pin, sold: Sold, values: list[int]) -> Split:
    deal = deal_of(plan, pin.tier, Lines(sold.lines, values, values, [], ()), SAME_CURRENCY)
    fired = firing(deal, applying(plan, pin), sum(values))
    return split_of(award_of(deal, fired, values, None), sold.lines)


def _earn(
    draft: Draft, versions: Versions, program: Program, row: KeyRow, book: OrderState, split: Split, spend: int
) -> None:
    """Put the points into the order's lot, count it in its tier window, and say so."""
    standing, paid, when, key = (
        draft.standing,
        draft.occurred_at,
        book.placed_at or draft.occurred_at,
        event_key(row.key),
    )
    release = release_of(program, Known("paid", paid, paid, None), None)
    change, postings = earn_lot(draft, row, split.points, program, release, when)
    ladder = ladder_of(program)
    changes = {}
    if ladder is not None:
        book.qualified = {"points_earned": split.points, "spend": spend}.get(ladder.tiers.measure, 1)
        book.window = ladder.key(standing, when)
        counts = book.qualified - wait_with_points(draft, row) if program.pending is not None else book.qualified
        changes = {book.window: counts} if counts else {}
    present = ladder_of(versions.at(standing.clock)) or ladder
    qualified = qualify(standing, present, changes)
    draft.say(
        PointsEarned,
        key=key,
        version=program.version,
        points=split.points,
        rules=split.rules,
        lines=split.lines,
        lots=[change],
        postings=postings,
        **qualified.told,
    )
    if present is not None and qualified.changes:
        move_tier(draft, present, qualified, key)
