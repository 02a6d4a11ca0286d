"""Which tier the naive member holds: totals, checks at window ends, rises and falls (rules 22-24, 59-64)."""

from __future__ import annotations

from datetime import datetime

from services.earning.program.terms import Program, Tiers, Versions
from tests.model.days import local_date, plus_months
from tests.model.ladder import (
    LIFETIME,
    check_at,
    index_of,
    level_for,
    qualified,
    valid_until,
    window_after,
    window_before,
    window_of,
)
from tests.model.member import NaiveMember, NaiveOrder

HISTORY_MONTHS = 24


def order_qualifies(member: NaiveMember, key: tuple[str, str, str], order: NaiveOrder, measure: str) -> int:
    """What an order counts for tiers now."""
    if measure == "points_earned":
        return order.award.points - sum(lot.remaining for lot in member.account.of(key) if lot.pending)
    if not order.counts or order.over_at is None or order.over_at > member.now:
        return 0
    return order.spend if measure == "spend" else 1 if order.left else 0


def totals(member: NaiveMember, program: Program) -> dict[str, int]:
    """What qualifies, by window: simply the sum over all there is."""
    if program.tiers is None:
        return {}
    found: dict[str, int] = {}
    for key, order in member.orders.items():
        if order.when is not None:
            window = window_of(program.tiers, program, order.when)
            found[window] = found.get(window, 0) + order_qualifies(member, key, order, program.tiers.measure)
    if program.tiers.measure == "points_earned":
        for other in member.extra.values():
            window = window_of(program.tiers, program, other.at)
            found[window] = found.get(window, 0) + other.points
    return found


def tier_at(member: NaiveMember, versions: Versions, when: datetime) -> str:
    """The tier held at an instant, by the history of 24 months (rule 37)."""
    program = versions.at(when)
    base = program.tiers.base if program is not None and program.tiers is not None else ""
    if program is not None:
        oldest = plus_months(local_date(member.now, program.zone), -HISTORY_MONTHS)
        if local_date(when, program.zone) < oldest:
            return base
    return next((tier for since, tier in reversed(member.history) if since <= when), base)


def hold(member: NaiveMember, tier: str, since: datetime) -> None:
    """The member holds another tier from now on."""
    member.tier = tier
    member.history.append((since, tier))


def next_check(member: NaiveMember, program: Program | None) -> datetime | None:
    """The next instant after the member's clock at which a window's end is judged."""
    if program is None or program.tiers is None or program.tiers.window == LIFETIME:
        return None
    return check_at(program.tiers, program, _judged_next(member, program.tiers, program))


def _judged_next(member: NaiveMember, tiers: Tiers, program: Program) -> str:
    ended = window_before(window_before(window_of(tiers, program, member.now)))
    while check_at(tiers, program, ended) <= member.now:
        ended = window_after(ended)
    return ended


def judge(member: NaiveMember, program: Program, ended: str) -> None:
    """At a window's end and after its grace: down, if neither it nor the running window reaches the level (62)."""
    tiers, sums = program.tiers, totals(member, program)
    assert tiers is not None
    held = index_of(tiers, member.tier)
    fit = level_for(tiers, max(sums.get(ended, 0), sums.get(window_after(ended), 0)))
    if fit < held:
        to = held - 1 if tiers.fall == "one_level" else fit
        hold(member, tiers.levels[to].id, check_at(tiers, program, ended))


def judge_at(member: NaiveMember, program: Program, at: datetime) -> None:
    """The judgement of the window whose grace is over at this instant."""
    assert program.tiers is not None
    ended = window_before(window_before(window_of(program.tiers, program, at)))
    while check_at(program.tiers, program, ended) < at:
        ended = window_after(ended)
    if check_at(program.tiers, program, ended) == at:
        judge(member, program, ended)


def settle(member: NaiveMember, versions: Versions, before: dict[str, int]) -> None:
    """Up at once; down at once only where the rules say so (rules 23, 60)."""
    program = versions.at(member.now)
    if program is None or program.tiers is None:
        return
    tiers, sums = program.tiers, totals(member, program)
    held, fit = index_of(tiers, member.tier), qualified(tiers, program, sums, member.now)
    window = window_of(tiers, program, member.now)
    if fit < held and window != LIFETIME:
        closed = window_before(window)
        threshold = tiers.levels[held].threshold
        crossed = before.get(closed, 0) >= threshold > sums.get(closed, 0)
        if not crossed or check_at(tiers, program, closed) > member.now:
            return
    if fit != held:
        hold(member, tiers.levels[fit].id, member.now)


def shown(member: NaiveMember, versions: Versions) -> tuple[str, datetime | None]:
    """The tier a member holds and until when."""
    program = versions.at(member.now)
    if program is None or program.tiers is None:
        return member.tier, None
    tiers = program.tiers
    level = index_of(tiers, member.tier)
    return tiers.levels[level].id, valid_until(tiers, program, totals(member, program), level, member.now)


def counting(member: NaiveMember, versions: Versions) -> set[str]:
    """The windows that a member's tier can still depend on."""
    program = versions.at(member.now)
    if program is None or program.tiers is None:
        return set()
    window = window_of(program.tiers, program, member.now)
    return {window} if window == LIFETIME else {window, window_before(window), window_after(window)}
