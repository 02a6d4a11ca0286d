"""Redemptions, adjustments, imports and reinstatements in the naive model (rules 18-21, 32, 53-58, 71)."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.earning.program.terms import Program, Versions
from services.earning.source_events.facts import Fact
from shared.facts.adjustments import PointsAdjust, PointsReinstate
from shared.facts.imports import BalanceImport, ImportRevert
from shared.facts.redemptions import RedemptionCancelled, RedemptionRequested
from tests.support.model.account import KeyId, NaiveLot, Taken
from tests.support.model.days import local_date
from tests.support.model.lifetimes import LATE_DAYS, active, end_of, start_own_life
from tests.support.model.member import DeadLetterError, NaiveMember, NaiveRedemption, Qualifying
from tests.support.model.tiers import end_imported, give, settle, totals

APPLIED, DUPLICATE, REJECTED = "applied", "duplicate", "rejected"


def request(member: NaiveMember, program: Program, redemption: NaiveRedemption, fact: Fact, tier: str) -> str:
    """Points are spent, or the request is refused for ever (rules 18, 19, 56); `tier` is that of its own time."""
    assert isinstance(fact.data, RedemptionRequested)
    redemption.request = fact
    member.account.watching.append(redemption.forgiven)
    points, redemption.rejected = cost_of(program, fact.data, tier)
    if redemption.cancels:
        redemption.rejected = "cancelled"
    elif member.closed:
        redemption.rejected = "member_closed"
    elif not redemption.rejected and points > member.account.available:
        redemption.rejected = "insufficient_points"
    if redemption.rejected:
        return REJECTED
    account = member.account
    for lot in account.spendable():
        part = min(points, lot.remaining)
        if part:
            redemption.taken.append(Taken(lot, part, _days_left(member, program, lot), account.ends(lot)))
            lot.remaining -= part
            points -= part
    account.counters["redeemed"] += sum(taken.points for taken in redemption.taken)
    active(member, program, fact.occurred_at)
    return APPLIED


def cost_of(program: Program, data: RedemptionRequested, tier: str) -> tuple[int, str]:
    """What a request costs, or why it is refused."""
    if data.reward is None:
        points = data.points or 0
        return points, "" if points > 0 else "invalid_points"
    reward = next((reward for reward in program.rewards if reward.id == data.reward), None)
    if reward is None:
        return 0, "unknown_reward"
    return reward.points, "tier_required" if reward.tiers and tier not in reward.tiers else ""


def _last_day_start(ends: datetime) -> datetime:
    return ends - timedelta(microseconds=1)


def _days_left(member: NaiveMember, program: Program, lot: NaiveLot) -> int | None:
    ends = member.account.ends(lot)
    if ends is None:
        return None
    last = local_date(_last_day_start(ends), program.zone)
    return max(0, (last - local_date(member.now, program.zone)).days)


def cancel(member: NaiveMember, program: Program, redemption: NaiveRedemption, fact: Fact) -> str:
    """Points come back: make up for what was forgiven, pay the deficit, then live on (rules 20, 55, 57)."""
    assert isinstance(fact.data, RedemptionCancelled)
    redemption.cancels[fact.data.cancel_id or ""] = fact
    if redemption.request is None or redemption.rejected or member.closed:
        return APPLIED
    account = member.account
    left = sum(taken.points for taken in redemption.taken)
    points = left if fact.data.points is None else min(left, fact.data.points)
    parts: list[tuple[Taken, int]] = []
    for taken in reversed(redemption.taken):
        part = min(points, taken.points)
        if part:
            parts.append((taken, part))
            taken.points -= part
            points -= part
    total = sum(part for _, part in parts)
    beyond = account.make_up(total, redemption.forgiven)
    account.counters["restored"] += beyond
    made_up = total - beyond
    for taken, part in parts:
        skipped = min(made_up, part)
        made_up -= skipped
        if part - skipped:
            _give_back(member, program, taken, part - skipped)
    return APPLIED


def _give_back(member: NaiveMember, program: Program, taken: Taken, points: int) -> None:
    """A portion lives to the later of its own date and now + (what it had left, or 30 days once)."""
    lot, account = taken.lot, member.account
    ends, used = None, lot.used_days
    if taken.days_left is not None and taken.last is not None:
        days = taken.days_left if lot.used_days else max(taken.days_left, LATE_DAYS)
        used = lot.used_days or taken.days_left < LATE_DAYS
        again = local_date(member.now, program.zone) + timedelta(days=days)
        stays = again <= local_date(_last_day_start(taken.last), program.zone)
        ends = taken.last if stays else end_of(again, program)
    part = NaiveLot(
        len(account.lots) + 1,
        lot.key,
        points,
        points,
        lot.earned_at,
        lot.available_at,
        ends,
        lot.follows,
        used_days=used,
    )
    account.add(part)


def adjust(member: NaiveMember, program: Program, key: KeyId, fact: Fact) -> str:
    """A person gives or takes points (rule 21)."""
    data = fact.data
    assert isinstance(data, PointsAdjust)
    account = member.account
    if member.closed:
        return APPLIED
    account.counters["adjusted"] += data.points
    if data.points > 0:
        add_lot(member, program, key, fact, data.points, data.expires_at)
    else:
        rest = account.take(account.spendable(), -data.points)
        account.owe(rest, forgive=program.deficit == "forgive")
    if data.qualifying:
        member.extra[key] = Qualifying(fact.occurred_at, data.points)
    return APPLIED


def add_lot(
    member: NaiveMember, program: Program, key: KeyId, fact: Fact, points: int, expires_at: datetime | None
) -> None:
    """A lot of its own, with a date of its own or the program's from the fact's time (rules 53, 54)."""
    assert member.decided_at is not None
    lot = NaiveLot(len(member.account.lots) + 1, key, points, points, fact.occurred_at, fact.occurred_at)
    if expires_at is not None:
        lot.expires_at = expires_at
    else:
        start_own_life(member, lot, program, fact.occurred_at, member.decided_at)
    member.account.add(lot)


def refuse(fact: Fact, decided_at: datetime) -> None:
    """What can't be decided at all (rules 37, 56)."""
    expires_at = getattr(fact.data, "expires_at", None)
    if expires_at is not None and expires_at <= decided_at:
        raise DeadLetterError("expires_in_past")


def bring_in(member: NaiveMember, versions: Versions, program: Program, key: KeyId, fact: Fact) -> str:
    """A row of an import: points, lifetime points, a tier (rules 54, 59, 64)."""
    data = fact.data
    assert isinstance(data, BalanceImport)
    if member.commands.get((key[0], "revert", data.batch_id)) or member.closed:
        return APPLIED
    member.imported[key] = data
    member.account.counters["imported"] += data.points
    if data.points:
        add_lot(member, program, key, fact, data.points, data.expires_at)
    if data.lifetime_points:
        member.extra[key] = Qualifying(fact.occurred_at, data.lifetime_points)
    if data.tier is not None:
        give(member, versions, data.tier, None, key)
    return APPLIED


def revert(member: NaiveMember, versions: Versions, program: Program, fact: Fact) -> str:
    """All rows of a batch are taken out again (rule 32)."""
    data = fact.data
    assert isinstance(data, ImportRevert)
    forgive = data.keep_spent or program.deficit == "forgive"
    rows = {key for key, row in member.imported.items() if (key[0], row.batch_id) == (fact.source, data.batch_id)}
    before = totals(member, versions.at(member.now))
    for key in [key for key in member.imported if key in rows]:
        member.account.reverse(key, member.imported.pop(key).points, forgive=forgive, counter="reverted")
        member.extra.pop(key, None)
    settle(member, versions, before)
    given = member.given
    if given is not None and given.by in rows and (given.until is None or given.until > member.now):
        end_imported(member, versions)
    return APPLIED


def reinstate(member: NaiveMember, program: Program, fact: Fact) -> str:
    """Expired points of an award are given back, for 30 days unless said otherwise (rule 71)."""
    data = fact.data
    assert isinstance(data, PointsReinstate)
    assert member.decided_at is not None
    key: KeyId = (fact.source, "order", data.award)
    if key not in member.orders or data.points > sum(lot.expired for lot in member.account.of(key)):
        raise DeadLetterError("unknown_award")
    if member.closed:
        return APPLIED
    member.account.undo_expiry(key, data.points)
    member.account.counters["reinstated"] += data.points
    at, number = fact.occurred_at, len(member.account.lots) + 1
    days = end_of(local_date(member.decided_at, program.zone) + timedelta(days=LATE_DAYS), program)
    member.account.add(NaiveLot(number, key, data.points, data.points, at, at, data.expires_at or days))
    return APPLIED


def close(member: NaiveMember) -> None:
    """Membership ends: all points expire, those that wait too; what is owed is forgiven (rule 71)."""
    account = member.account
    for lot in account.lots:
        account.expire(lot)
        lot.release_at = None
    account.forgive(account.deficit)
    account.deficit = 0
    member.closed = True
