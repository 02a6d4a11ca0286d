"""Which tier the naive member holds: totals, checks at window ends, rises and falls (rules 22-24, 59-64)."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.earning.program.terms import Program, TierLevel, Versions
from tests.support.model.account import KeyId, NaiveLot
from tests.support.model.days import local_date, plus_months
from tests.support.model.ladder import LIFETIME, Ladder
from tests.support.model.lifetimes import active, start_life
from tests.support.model.member import Given, NaiveGrant, NaiveMember, NaiveOrder
from tests.support.model.referral_books import NaiveReward

HISTORY_MONTHS = 24
BONUS = ("", "bonus")


def ladder_of(member: NaiveMember, program: Program | None) -> Ladder | None:
    """The program's tiers as they are for this member."""
    if program is None or program.tiers is None:
        return None
    return Ladder(program.tiers, program, local_date(member.since or member.now, program.zone))


def order_qualifies(member: NaiveMember, key: KeyId, order: NaiveOrder, measure: str) -> int:
    """What an order counts for tiers now; a guest's orders wait with their points."""
    if measure == "points_earned":
        waits = [lot.remaining + lot.expired for lot in member.account.of(key) if lot.pending]
        return order.award.points - sum(waits)
    if not order.counts or order.over_at is None or order.over_at > member.now or member.provisional:
        return 0
    return order.spend if measure == "spend" else int(order.left)


def totals(member: NaiveMember, program: Program | None) -> dict[str, int]:
    """What qualifies, by window: simply the sum over all there is."""
    ladder = ladder_of(member, program)
    if ladder is None:
        return {}
    found: dict[str, int] = {}
    for key, order in member.orders.items():
        if order.when is not None:
            window = ladder.window_of(order.when)
            found[window] = found.get(window, 0) + order_qualifies(member, key, order, ladder.tiers.measure)
    if ladder.tiers.measure == "points_earned":
        others = [(other.at, other.points) for other in member.extra.values()]
        gains: list[tuple[KeyId, NaiveReward | NaiveGrant]] = [*member.rewards.items(), *member.grants.items()]
        for key, gain in gains:
            waits = [lot.remaining + lot.expired for lot in member.account.of(key) if lot.pending]
            others += [(gain.when, gain.points - sum(waits))] if gain.when is not None else []
        for at, points in others:
            window = ladder.window_of(at)
            found[window] = found.get(window, 0) + points
    member.buckets |= {window for window, total in found.items() if total}
    return found


def tier_at(member: NaiveMember, versions: Versions, when: datetime) -> str:
    """The tier held at an instant, by the history of 24 months (rule 37); the one held now is known for longer."""
    if member.history and when >= member.history[-1][0]:
        return member.history[-1][1]
    program = versions.at(when)
    base = program.tiers.base if program is not None and program.tiers is not None else ""
    oldest = datetime.combine(plus_months(member.now.date(), -HISTORY_MONTHS), member.now.timetz())
    if when < oldest:
        return base
    return next((tier for since, tier in reversed(member.history) if since <= when), base)


def given_level(member: NaiveMember, ladder: Ladder) -> int:
    """The place of the tier that somebody gave, as long as it is to be held (rule 64)."""
    given = member.given
    if given is None or (given.until is not None and given.until <= member.now):
        return 0
    return ladder.index_of(given.tier)


def hold(member: NaiveMember, ladder: Ladder, *, refund: bool = False) -> None:
    """The member holds what they hold by themselves, or the tier that was given to them where that is higher.

    Entering a higher one gives its bonus, once (rules 24, 63); a fall by a refund takes back what is above.
    """
    level, before = max(ladder.index_of(member.natural), given_level(member, ladder)), ladder.index_of(member.tier)
    if level == before:
        return
    entered = ladder.tiers.levels[level]
    member.tier = entered.id
    member.history.append((member.now, entered.id))
    if level > before:
        give_bonus(member, ladder, entered)
    elif refund:
        take_bonuses(member, ladder)


def give_bonus(member: NaiveMember, ladder: Ladder, entered: TierLevel) -> None:
    """Points for entering a tier, unless the member has them, or is one no more."""
    key: KeyId = (*BONUS, f"{member.name}/{entered.id}")
    if entered.entry_bonus and not member.bonuses.get(key) and not member.closed:
        account = member.account
        member.bonuses[key] = entered.entry_bonus
        account.counters["earned"] += entered.entry_bonus
        at = member.cause_at or member.now
        lot = NaiveLot(len(account.lots) + 1, key, entered.entry_bonus, entered.entry_bonus, at, at)
        start_life(member, lot, ladder.program, at, member.decided_at or at)
        account.add(lot)
        active(member, ladder.program, at)


def give(member: NaiveMember, versions: Versions, tier: str, until: datetime | None, by: KeyId | None = None) -> None:
    """A tier is given, until an instant or to the end of the next window, in place of one given before (rule 64)."""
    ladder = ladder_of(member, versions.at(member.now))
    if ladder is not None:
        member.given = Given(tier, until or ladder.end_of_next(member.now), by)


def end_imported(member: NaiveMember, versions: Versions) -> None:
    """The import that gave a tier is reverted: down to what the member qualifies for, unless grace lasts (rule 32)."""
    member.given = None
    ladder = ladder_of(member, versions.at(member.now))
    if ladder is None:
        return
    fit = ladder.level_for(ladder.best(totals(member, ladder.program), member.now))
    if fit < ladder.index_of(member.natural) and not ladder.in_grace(member.now):
        member.natural = ladder.tiers.levels[fit].id
    hold(member, ladder, refund=True)


def take_bonuses(member: NaiveMember, ladder: Ladder) -> None:
    """A refund made the member fall: bonuses of what is above go back, and may be granted again (rule 24)."""
    held = ladder.index_of(member.tier)
    for level in ladder.tiers.levels[held + 1 :]:
        key: KeyId = (*BONUS, f"{member.name}/{level.id}")
        points = member.bonuses.pop(key, 0)
        if points:
            member.account.reverse(key, points, forgive=ladder.program.deficit == "forgive")


def next_check(member: NaiveMember, versions: Versions) -> datetime | None:
    """The next instant after the member's clock at which the level is judged, or may rise by itself."""
    ladder = ladder_of(member, versions.at(member.now))
    if ladder is None:
        return None
    checks = ladder.checks(member.buckets, member.now)[:1] + ladder.rises(member.buckets, member.now)[:1]
    if member.given is not None and member.given.until is not None and member.given.until > member.now:
        checks.append(member.given.until)
    return min(checks, default=None)


def judge(member: NaiveMember, versions: Versions) -> None:
    """At a check: down, if what counts doesn't reach the level (rule 62)."""
    ladder = ladder_of(member, versions.at(member.now))
    if ladder is None:
        return
    if member.now not in ladder.checks(member.buckets, member.now - timedelta(microseconds=1)):
        return
    own = ladder.index_of(member.natural)
    fit = ladder.level_for(ladder.judged(totals(member, ladder.program), member.now))
    if fit < own:
        member.natural = ladder.tiers.levels[own - 1 if ladder.tiers.fall == "one_level" else fit].id


def settle(member: NaiveMember, versions: Versions, before: dict[str, int]) -> None:
    """Up at once; down at once only where the rules say so (rules 23, 60)."""
    ladder = ladder_of(member, versions.at(member.now))
    if ladder is None:
        return
    sums = totals(member, ladder.program)
    own, fit = ladder.index_of(member.natural), ladder.level_for(ladder.best(sums, member.now))
    threshold = ladder.tiers.levels[own].threshold
    falls = fit < own and _falls_at_once(ladder, before, sums, member.now, threshold)
    if fit > own or falls:
        member.natural = ladder.tiers.levels[fit].id
    hold(member, ladder, refund=falls)


def _falls_at_once(ladder: Ladder, before: dict[str, int], sums: dict[str, int], now: datetime, threshold: int) -> bool:
    """Whether a refund lowers now: always in a lifetime, else when it took a closed window below (or an open one)."""
    if ladder.in_grace(now):
        return False
    at_once = ladder.tiers.open_refund == "at_once"
    if ladder.rolling:
        return at_once and ladder.best(before, now) >= threshold
    window = ladder.window_of(now)
    if window == LIFETIME:
        return True
    closed = ladder.after(window, -1)
    crossed = [name for name in (closed, window) if before.get(name, 0) >= threshold > sums.get(name, 0)]
    return closed in crossed or (at_once and window in crossed)


def shown(member: NaiveMember, versions: Versions) -> tuple[str, datetime | None]:
    """The tier a member holds and until when."""
    ladder = ladder_of(member, versions.at(member.now))
    if ladder is None:
        return member.tier, None
    level, untils = ladder.index_of(member.tier), []
    if ladder.index_of(member.natural) == level:
        untils.append(ladder.valid_until(totals(member, ladder.program), member.buckets, level, member.now))
    if level and member.given is not None and given_level(member, ladder) == level:
        untils.append(member.given.until)
    ends = [until for until in untils if until is not None]
    return ladder.tiers.levels[level].id, max(ends) if len(ends) == len(untils) else None


def counting(member: NaiveMember, versions: Versions) -> set[str]:
    """The windows that a member's tier can still depend on."""
    ladder = ladder_of(member, versions.at(member.now))
    if ladder is None:
        return set()
    if ladder.rolling:
        return {bucket for bucket in member.buckets if ladder.leaves_at(bucket) > member.now}
    window = ladder.window_of(member.now)
    return {window} if window == LIFETIME else {window, ladder.after(window, -1), ladder.after(window)}
