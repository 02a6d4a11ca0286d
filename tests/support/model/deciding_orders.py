"""What an order is worth now, from all its facts, and how the difference is booked (rules 2-15, 34, 37)."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from math import floor

from services.earning.program.terms import Program, Versions
from services.earning.source_events.facts import Fact
from shared.facts.orders import Order
from tests.support.model.account import KeyId, NaiveLot
from tests.support.model.awards import Award, Who
from tests.support.model.awards import award as award_of
from tests.support.model.cards import bring_stamps, order_stamps
from tests.support.model.lifetimes import active, release, release_of, start_life
from tests.support.model.member import DeadLetterError, NaiveMember, NaiveOrder
from tests.support.model.order_facts import OrderView, view
from tests.support.model.pinning import pin
from tests.support.model.priced import ZERO, money, price, refunded


def refuse(versions: Versions, order: OrderView) -> None:
    """Dead letters that only the program can tell (rule 8)."""
    program = versions.at(order.when) if order.when else None
    if program and order.sold and order.sold.currency != program.currency and order.rate is None:
        raise DeadLetterError("no_exchange_rate")


def decide_order(member: NaiveMember, versions: Versions, key: KeyId, order: NaiveOrder, fact: Fact) -> None:
    """Recompute an order from its facts and book what has changed."""
    before, now = view([known for known in order.facts if known is not fact]), view(order.facts)
    if order.pinned is None and now.open and now.when is not None:
        order.pinned = pin(member, versions, now.when, order)
    program = versions.at(now.when) if now.when else None
    over = order.counts and order.over_at is not None and order.over_at <= member.now
    fresh = uncapped = worth(order, now, program, versions)
    if member.closed and uncapped.points > order.award.points:
        fresh = order.award
    elif program is not None:
        fresh = capped(member, program, order, uncapped, sold_anew=_sold_anew(before, now))
        order.uncapped = uncapped.points
    change = fresh.points - order.award.points
    order.award, order.when = fresh, now.when
    if program is not None and not (over and order.counts):
        waits, release_at = release_of(now, program, None)
        # What a guest's order counts waits in a lot, and nothing is released before the fact that made it.
        begins = max(member.now, fact.occurred_at) if member.provisional else member.now
        order.over_at = release_at if waits else begins
    if change > 0 and program is not None:
        earn(member, key, now, program, fact, change)
    elif change < 0:
        member.account.reverse(key, -change, forgive=program is not None and program.deficit == "forgive")
    if program is not None:
        reschedule(member, key, now, program, late=fact.occurred_at < member.now)
    before_stamps, order.stamps = order.stamps, order_stamps(program, now) if program and order.counts else {}
    bring_stamps(member, versions, program, order, before_stamps, fact)


def _sold_anew(before: OrderView, now: OrderView) -> bool:
    """Whether what was sold has other amounts than were known."""
    if before.sold is None or now.sold is None:
        return True
    names = [name for name in Order.__struct_fields__ if name not in ("revision", "placed_at", "channel", "store")]
    return any(getattr(before.sold, name) != getattr(now.sold, name) for name in names)


def capped(member: NaiveMember, program: Program, order: NaiveOrder, award: Award, *, sold_anew: bool) -> Award:
    """At most what the caps leave: what this award holds of them and what is left of the window (rules 7, 46)."""
    if order.pinned is None:
        return award
    caps, room = program.caps, award.points
    if caps.order is not None:
        room = min(room, caps.order)
    for limit, name in ((caps.day, "%Y-%m-%d"), (caps.week, "%G-%V"), (caps.month, "%Y-%m")):
        if limit is not None:
            mine = order.pinned.cap_when.astimezone(program.zone).strftime(name)
            others = sum(
                other.award.points
                for other in member.orders.values()
                if other is not order
                and other.pinned is not None
                and other.pinned.cap_when.astimezone(program.zone).strftime(name) == mine
            )
            room = min(room, max(order.award.points, limit - others))
    if order.award.points < order.uncapped and not sold_anew:
        room = min(room, order.award.points)
    return award.truncated(room)


def worth(order: NaiveOrder, now: OrderView, program: Program | None, versions: Versions) -> Award:
    """The award; sets what is left of the order and its spend (whole micros of the program's currency)."""
    order.left, order.counts, order.spend = False, False, 0
    if not now.open or now.sold is None or now.when is None or order.pinned is None:
        return Award()
    basis = program.basis if program else versions.all[0].basis
    lines = refunded(price(now.sold, basis), now.sold, now.refunds, basis)
    order.left = any(line.gone < 1 for line in lines if line.line is not None)
    if program is None or (program.gate == "fulfilled" and now.status != "fulfilled"):
        return Award()
    rate = Fraction(1) if now.sold.currency == program.currency else money(now.rate or "0")
    pinned = order.pinned
    who = Who(now.when, pinned.tier, pinned.segments, pinned.first_order, now.channel, now.store)
    order.spend = floor(sum((line.left for line in lines), ZERO) * rate * 1_000_000)
    order.counts = True
    return award_of(program, who, lines, rate)


def earn(member: NaiveMember, key: KeyId, now: OrderView, program: Program, fact: Fact, points: int) -> None:
    """A further lot for an award that came to be, or grew (rules 13, 15)."""
    raised_at = fact.occurred_at if member.account.of(key) else None
    put(member, key, program, fact.occurred_at, points, release_of(now, program, raised_at))


def put(
    member: NaiveMember,
    key: KeyId,
    program: Program,
    at: datetime,
    points: int,
    wait: tuple[bool, datetime | None],
) -> None:
    """Points earned by a fact of that time become a lot; `wait` says whether it waits, and until when."""
    account, (waits, release_at) = member.account, wait
    account.counters["earned"] += points
    assert member.decided_at is not None
    lot = NaiveLot(len(account.lots) + 1, key, points, points, at, max(release_at or at, at))
    if waits and (release_at is None or release_at > member.now):
        lot.pending, lot.release_at, lot.available_at = True, release_at, None
    else:
        start_life(member, lot, program, at, member.decided_at)
    account.add(lot)
    active(member, program, at)


def reschedule(member: NaiveMember, key: KeyId, now: OrderView, program: Program, *, late: bool) -> None:
    """Lots that wait learn of a fulfilment or of another payment; those whose time has come are released."""
    if program.pending is None:
        return
    for lot in sorted(member.account.of(key), key=lambda lot: lot.number):
        if lot.pending and lot.remaining:
            first = lot.number == min(other.number for other in member.account.of(key))
            lot.release_at = release_of(now, program, None if first else lot.earned_at)[1]
            if lot.release_at is not None and lot.release_at <= member.now and not member.provisional:
                release(member, lot, program, late=late)
