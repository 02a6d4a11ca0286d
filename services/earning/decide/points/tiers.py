"""Tiers: when members rise, stay and fall, and what their events say of it. Rules 5, 22 to 24, 37 and 60 to 64."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from services.earning.decide.core.draft import Draft, Progress, event_key
from services.earning.decide.core.local_days import add_months
from services.earning.decide.points.bonuses import grant_bonus, take_bonuses_back
from services.earning.decide.points.ladder import Ladder
from services.earning.program.terms import Versions
from services.earning.state.standing import BusinessKey, Standing, TierHeld
from shared.point_events import TierChanged, TierRetained

HISTORY_MONTHS = 24
"""How far back a late fact finds the tier that was held then."""


class TierGiven(NamedTuple):
    """A tier that a person gave, or an import: until when (none: not said), and by which row of an import."""

    tier: str
    until: datetime | None = None
    by: str = ""


class Qualified(msgspec.Struct, frozen=True):
    """Sums of windows that a fact changed: what they were, by how much, and what the fact's event says of it."""

    before: dict[str, int]
    changes: dict[str, int]
    progress: Progress | None


UNMOVED = Qualified({}, {}, None)
"""Nothing that qualifies has changed."""


def base_of(versions: Versions, instant: datetime) -> str:
    """The tier that everybody starts at; empty where there are none."""
    program = versions.at(instant)
    return program.tiers.base if program is not None and program.tiers is not None else ""


def tier_at(standing: Standing, versions: Versions, instant: datetime) -> str:
    """The tier a member held at an instant, by the recorded history; longer ago than it reaches: the base."""
    history = standing.tier_history
    if history and instant >= history[-1].since:
        return history[-1].tier
    if history and instant >= _horizon(standing.clock):
        held = next((held.tier for held in reversed(history) if held.since <= instant), None)
        if held is not None:
            return held
    return base_of(versions, instant)


def _horizon(clock: datetime) -> datetime:
    return datetime.combine(add_months(clock.date(), -HISTORY_MONTHS), clock.timetz())


def qualify(standing: Standing, ladder: Ladder | None, changes: dict[str, int]) -> Qualified:
    """Add to windows' sums what an award changed (window → change)."""
    if ladder is None or not changes:
        return UNMOVED
    before = standing.qualifying
    standing.qualifying = _summed(ladder, standing, changes)
    return Qualified(before, changes, progress(standing, ladder, ladder.text(sum(changes.values()))))


def _summed(ladder: Ladder, standing: Standing, changes: dict[str, int]) -> dict[str, int]:
    """Sums after changes; windows that count no more are left out."""
    if ladder.rolling:
        after = {day: amount for day, amount in standing.qualifying.items() if ladder.checked(day) >= standing.clock}
        added = {day: change for day, change in changes.items() if ladder.checked(day) >= standing.clock}
    else:
        oldest = ladder.window(standing, standing.clock).oldest
        after = {window: amount for window, amount in standing.qualifying.items() if window >= oldest}
        added = changes if min(changes) >= oldest else {w: change for w, change in changes.items() if w >= oldest}
    for window, change in added.items():
        after[window] = after.get(window, 0) + change
    return after


def together(several: Iterable[Qualified]) -> Qualified:
    """Several changes of sums, one after the other, as one."""
    moved = [one for one in several if one.changes]
    if len(moved) <= 1:
        return moved[0] if moved else UNMOVED
    changes: dict[str, int] = {}
    for one in moved:
        for window, change in one.changes.items():
            changes[window] = changes.get(window, 0) + change
    return Qualified(moved[0].before, changes, moved[-1].progress)


def move_tier(draft: Draft, ladder: Ladder | None, several: Iterable[Qualified], key: BusinessKey | None) -> None:
    """Rise or fall by all that has changed what qualifies, if anything has."""
    qualified = together(several)
    if ladder is not None and qualified.changes:
        rise_or_fall(draft, ladder, qualified, key)


def rise_or_fall(draft: Draft, ladder: Ladder, qualified: Qualified, key: BusinessKey | None) -> None:
    """Rise or fall by sums that changed.

    A closed window can lift at once, and one that a refund takes below the threshold of the tier held lowers at once,
    once its grace is over; a window that is still open lowers at its end, or at once where the program says so
    (rules 23, 62). A lifetime never ends, so it lowers at once (rule 60).
    """
    standing = draft.standing
    own = standing.own_tier or standing.tier
    step = ladder.step(own)
    best = ladder.best(standing)
    if best >= step.threshold and (step.next_threshold is None or best < step.next_threshold):
        if step.above_base:
            hold(draft, ladder, key)
        return
    reached = ladder.reached(best)
    if ladder.rank(reached) > step.rank:
        move_to(draft, ladder, reached, "qualified", key)
    elif ladder.rank(reached) < step.rank and _is_lost(standing, ladder, qualified, step.threshold):
        move_to(draft, ladder, reached, "reversed", key)
    hold(draft, ladder, key)


def _is_lost(standing: Standing, ladder: Ladder, qualified: Qualified, held: int) -> bool:
    """Whether sums that changed take a tier at once: a window that counts went below its threshold, `held`."""
    at_once = ladder.tiers.open_refund == "at_once"
    if ladder.rolling:
        return at_once and ladder.rolled(standing, qualified.before) >= held > ladder.total(standing)
    window = ladder.window(standing, standing.clock)
    if standing.clock < window.closing:
        return False  # grace holds it
    before, after = qualified.before, standing.qualifying
    if at_once and before.get(window.key, 0) >= held > after.get(window.key, 0):
        return True
    return before.get(window.before, 0) >= held > after.get(window.before, 0)


def _assigned(standing: Standing, ladder: Ladder) -> str:
    """The tier that a person gave, as long as it holds; else the base."""
    until = standing.assigned_until
    if standing.assigned_tier and (until is None or standing.clock < until):
        return standing.assigned_tier
    return ladder.tiers.base


def _own(standing: Standing, ladder: Ladder) -> str:
    """The tier a member would hold if nobody had given them one."""
    return standing.own_tier or standing.tier or ladder.tiers.base


def give_tier(draft: Draft, ladder: Ladder, given: TierGiven, reason: str, key: BusinessKey | None) -> None:
    """Let a tier be held at least until a date; without one to the end of the window after the present one.

    It takes the place of one given before. What the same fact qualifies for by itself comes in one step with it.
    """
    standing = draft.standing
    own = ladder.higher(_own(standing, ladder), ladder.qualified(standing))
    standing.assigned_tier, standing.assigned_by = given.tier, given.by
    standing.assigned_until = given.until or ladder.end_of_next(standing)
    move_to(draft, ladder, own, reason, key)


def take_imported_tier(draft: Draft, ladder: Ladder, key: BusinessKey | None) -> None:
    """Let go the tier of an import that is reverted: hold what is qualified for, but never less while grace lasts."""
    standing = draft.standing
    own = _own(standing, ladder)
    if ladder.rolling or standing.clock >= ladder.window(standing, standing.clock).closing:
        own = ladder.lower(own, ladder.qualified(standing))
    _forget_given(standing)
    move_to(draft, ladder, own, "reversed", key)


def _forget_given(standing: Standing) -> None:
    standing.assigned_tier, standing.assigned_until, standing.assigned_by = "", None, ""


def move_to(draft: Draft, ladder: Ladder, own: str, reason: str, key: BusinessKey | None) -> None:
    """Hold a tier by oneself from the standing's clock on, or the one given where that is higher.

    Its entry bonus comes or goes with it.
    """
    standing = draft.standing
    before = standing.tier or ladder.tiers.base
    tier = ladder.higher(own, _assigned(standing, ladder)) if standing.assigned_tier else own
    standing.own_tier = own if standing.assigned_tier else ""
    if tier == before:
        hold(draft, ladder, key)
        return
    standing.tier = tier
    standing.tier_history = _remembered(standing, TierHeld(standing.clock, tier))
    standing.tier_until = _until(standing, ladder)
    draft.record(
        TierChanged(
            key=event_key(key) if key is not None else None,
            program_version=ladder.program.version,
            before=before,
            after=tier,
            reason=reason,
            since=standing.clock,
            valid_until=standing.tier_until,
        ),
        progress(standing, ladder),
    )
    if ladder.rank(tier) > ladder.rank(before):
        grant_bonus(draft, ladder, tier)
    elif reason == "reversed":
        take_bonuses_back(draft, ladder, tier)


def _remembered(standing: Standing, held: TierHeld) -> list[TierHeld]:
    """The history with another entry, without what no late fact may ask for any more."""
    history = [entry for entry in standing.tier_history if entry.since != held.since]
    horizon = _horizon(standing.clock)
    while len(history) > 1 and history[1].since <= horizon:
        del history[0]
    return [*history, held]


def hold(draft: Draft, ladder: Ladder, key: BusinessKey | None) -> None:
    """Say so where the tier stays, but until another date."""
    standing = draft.standing
    until = _until(standing, ladder)
    if until == standing.tier_until:
        return
    standing.tier_until = until
    draft.record(
        TierRetained(
            key=event_key(key) if key is not None else None,
            program_version=ladder.program.version,
            tier=standing.tier,
            valid_until=until,
        ),
        progress(standing, ladder),
    )


def progress(standing: Standing, ladder: Ladder, qualifies: str = "") -> Progress:
    """How far the member is: the sum of the current window, what is missing to the next tier and to keep this one."""
    total = ladder.total(standing)
    step = ladder.step(standing.tier)
    to_next = to_keep = ""
    if step.next_threshold is not None:
        to_next = ladder.text(max(0, step.next_threshold - total))
    if step.above_base and not ladder.lifetime:
        to_keep = ladder.text(max(0, step.threshold - total))
    return Progress(qualifies, ladder.text(total), to_next, to_keep)


def _until(standing: Standing, ladder: Ladder) -> datetime | None:
    """Until when the tier holds if nothing more comes; None: for ever."""
    step = ladder.step(standing.tier)
    if not step.above_base:
        return None
    if not standing.assigned_tier:
        return _qualified_until(standing, ladder, step.threshold)
    untils = []
    if ladder.rank(_own(standing, ladder)) == step.rank:
        untils.append(_qualified_until(standing, ladder, step.threshold))
    if ladder.rank(_assigned(standing, ladder)) == step.rank:
        untils.append(standing.assigned_until)
    return max((until for until in untils if until is not None), default=None) if None not in untils else None


def _qualified_until(standing: Standing, ladder: Ladder, held: int) -> datetime | None:
    if ladder.lifetime:
        return None
    if ladder.rolling:
        return _rolling_until(standing, ladder, held)
    window = ladder.window(standing, standing.clock)
    if standing.qualifying.get(window.key, 0) >= held:
        return window.following
    if standing.clock < window.closing and standing.qualifying.get(window.before, 0) < held:
        return window.closing
    return window.evaluation


def _rolling_until(standing: Standing, ladder: Ladder, held: int) -> datetime | None:
    """The first check, as days leave the window, at which less than `held` is left."""
    days = sorted(standing.qualifying.items())
    for day, _ in days:
        checked = ladder.checked(day)
        if checked > standing.clock and sum(a for d, a in days if ladder.leaves(d) > checked) < held:
            return checked
    return None


def tier_due(standing: Standing, ladder: Ladder | None) -> datetime | None:
    """The next instant at which time alone may change the tier."""
    if ladder is None or not (ladder.rolling or ladder.above_base(standing.tier)):
        return None
    own = ladder.step(standing.own_tier or standing.tier)
    dues = [_next_check(standing, ladder, own.threshold) if own.above_base else None]
    if ladder.rolling:
        dues.append(_rolling_rise(standing, ladder, own.next_threshold))
    until = standing.assigned_until
    if standing.assigned_tier and until is not None and until > standing.clock:
        dues.append(until)
    return min((due for due in dues if due is not None), default=None)


def _rolling_rise(standing: Standing, ladder: Ladder, above: int | None) -> datetime | None:
    """The first instant at which a day below zero leaves the window and what is left reaches the next tier."""
    sums = standing.qualifying
    if above is None or all(amount >= 0 for amount in sums.values()):
        return None
    leaving = sorted(at for day in sums if (at := ladder.leaves(day)) > standing.clock)
    return next((at for at in leaving if sum(a for d, a in sums.items() if ladder.leaves(d) > at) >= above), None)


def _next_check(standing: Standing, ladder: Ladder, held: int) -> datetime | None:
    if ladder.lifetime:
        return None
    if ladder.rolling:
        return _rolling_until(standing, ladder, held)
    window = ladder.window(standing, standing.clock)
    return window.closing if standing.clock < window.closing else window.evaluation


def evaluate(draft: Draft, ladder: Ladder) -> None:
    """At a window's end (and grace), or that of an assigned tier: keep what is still qualified for, or fall.

    A day below zero that leaves a rolling window can raise as well.
    """
    standing = draft.standing
    own, reached, reason = _own(standing, ladder), ladder.qualified(standing), "window_ended"
    if standing.assigned_tier and standing.assigned_until == standing.clock:
        _forget_given(standing)
        reason = "assignment_ended"
    place = ladder.rank(own)
    if ladder.rank(reached) > max(0, place):
        own, reason = reached, "qualified"
    elif ladder.rank(reached) < place and ladder.is_checked(standing):
        own = ladder.tiers.levels[place - 1].id if ladder.tiers.fall == "one_level" else reached
    move_to(draft, ladder, own, reason, None)


def lift(draft: Draft, ladder: Ladder, reason: str) -> None:
    """Rise to what is qualified for where that is higher, as when a version takes force."""
    reached = ladder.qualified(draft.standing)
    if ladder.rank(reached) > max(0, ladder.rank(_own(draft.standing, ladder))):
        move_to(draft, ladder, reached, reason, None)
