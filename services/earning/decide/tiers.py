"""Tiers: which level a member's qualifying sums reach, and when they rise, stay and fall."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from services.earning.decide.draft import Draft
from services.earning.decide.local_days import add_months, local_date, start_of_day
from services.earning.program.terms import Program, Tiers, Versions
from services.earning.standing import Standing, TierHeld
from shared.money import decimal
from shared.point_events import Key, TierChanged, TierRetained

HISTORY_MONTHS = 24
"""How far back a late fact finds the tier that was held then."""

LIFETIME = "lifetime"
"""The key of the only window of a ladder whose window never ends."""

_YEAR_MONTHS = 12
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


class Window(NamedTuple):
    """A window: its key (first local date), the instants at which it begins and ends, and its neighbours.

    `closing` is when the window before stops to hold a tier up, `evaluation` when this one does, `following` when the
    next one does: each at the end of the window after it begins, plus grace.
    """

    key: str
    begins: datetime
    ends: datetime
    before: str
    oldest: str
    closing: datetime
    evaluation: datetime
    following: datetime


_ALWAYS = Window(LIFETIME, _FIRST, _LAST, LIFETIME, LIFETIME, _FIRST, _LAST, _LAST)


class Ladder:
    """The tiers of a program version, with the arithmetic of their windows."""

    __slots__ = ("_last", "_places", "lifetime", "program", "tiers", "zone")

    def __init__(self, program: Program, tiers: Tiers) -> None:
        self.program = program
        self.tiers = tiers
        self.zone = program.zone
        self.lifetime = tiers.window == "lifetime"
        self._places = {level.id: place for place, level in enumerate(tiers.levels)}
        self._last = _ALWAYS if self.lifetime else self._window(program.in_force_from)

    def rank(self, tier: str) -> int:
        """The place of a tier on the ladder; below the first where it isn't on it."""
        return self._places.get(tier, -1)

    def above_base(self, tier: str) -> bool:
        """Whether a tier can be lost."""
        return self.rank(tier) > max(0, self.rank(self.tiers.base))

    def reached(self, qualifying: int) -> str:
        """The highest tier whose threshold a sum reaches; the base where it reaches none."""
        best = self.tiers.base
        for level in self.tiers.levels:
            if qualifying >= level.threshold:
                best = level.id
        return best

    def threshold(self, tier: str) -> int:
        """What a tier asks for; 0 for the base."""
        place = self.rank(tier)
        return self.tiers.levels[place].threshold if place >= 0 else 0

    def window(self, instant: datetime) -> Window:
        """The window that an instant lies in."""
        last = self._last
        if last.begins <= instant < last.ends:
            return last
        window = self._last = self._window(instant)
        return window

    def _window(self, instant: datetime) -> Window:
        first = date(local_date(self.zone, instant).year, 1, 1)
        firsts = [add_months(first, _YEAR_MONTHS * years) for years in (-2, -1, 0, 1, 2)]
        grace = timedelta(days=self.tiers.grace_days)
        closing, evaluation, following = (start_of_day(self.zone, day + grace) for day in firsts[2:])
        return Window(
            first.isoformat(),
            start_of_day(self.zone, firsts[2]),
            start_of_day(self.zone, firsts[3]),
            firsts[1].isoformat(),
            firsts[0].isoformat(),
            closing,
            evaluation,
            following,
        )

    def text(self, amount: int) -> str:
        """A qualifying sum as events tell it: points, or money."""
        return str(amount) if self.tiers.measure == "points_earned" else decimal(amount)


_ladders: dict[int, Ladder | None] = {}
_CACHED_MAX = 1_024


def ladder_of(program: Program | None) -> Ladder | None:
    """The ladder of a version, made once; None where it has no tiers."""
    if program is None or program.tiers is None:
        return None
    ladder = _ladders.get(id(program))
    if ladder is None or ladder.program is not program:
        if len(_ladders) >= _CACHED_MAX:
            _ladders.clear()
        ladder = _ladders[id(program)] = Ladder(program, program.tiers)
    return ladder


def tier_at(standing: Standing, base: str, instant: datetime) -> str:
    """The tier a member held at an instant, by the recorded history; longer ago than it reaches: the base."""
    history = standing.tier_history
    if not history:
        return base
    if instant >= history[-1].since:
        return history[-1].tier
    if instant < _horizon(standing.clock):
        return base
    return next((held.tier for held in reversed(history) if held.since <= instant), base)


def _horizon(clock: datetime) -> datetime:
    return datetime.combine(add_months(clock.date(), -HISTORY_MONTHS), clock.timetz())


class Qualified(NamedTuple):
    """Sums of windows that a fact changed: what they were, by how much, and how the fact's event tells it."""

    before: dict[str, int]
    changes: dict[str, int]
    told: dict[str, Any]


_UNMOVED = Qualified({}, {}, {})


def qualify(standing: Standing, ladder: Ladder | None, changes: dict[str, int]) -> Qualified:
    """Add to windows' sums what an award changed (window → change)."""
    if ladder is None or not changes:
        return _UNMOVED
    before = standing.qualifying
    standing.qualifying = _summed(ladder.window(standing.clock).oldest, before, changes)
    told = progress(standing, ladder)
    told["qualifies"] = ladder.text(sum(changes.values()))
    return Qualified(before, changes, told)


def move_tier(draft: Draft, ladder: Ladder, qualified: Qualified, key: Key | None) -> None:
    """Rise or fall by sums that changed.

    A closed window can lift at once, and one that a refund takes below the threshold of the tier held lowers at once,
    once its grace is over; a window that is still open lowers at its end. A lifetime never ends, so it lowers at once.
    """
    standing = draft.standing
    current = ladder.window(standing.clock)
    reached = _reached(standing, ladder, current)
    if ladder.rank(reached) > ladder.rank(standing.tier or ladder.tiers.base):
        _move(draft, ladder, reached, "qualified", key)
    elif ladder.rank(reached) < ladder.rank(standing.tier):
        held = ladder.threshold(standing.tier)
        closed = current.before
        lost = qualified.before.get(closed, 0) >= held > standing.qualifying.get(closed, 0)
        if lost and (ladder.lifetime or standing.clock >= current.closing):
            _move(draft, ladder, reached, "reversed", key)
    _hold(draft, ladder, key)


def _summed(oldest: str, sums: dict[str, int], changes: dict[str, int]) -> dict[str, int]:
    """Sums after changes; windows that count no more are left out."""
    after = {window: amount for window, amount in sums.items() if window >= oldest}
    for window, change in changes.items():
        if window >= oldest:
            after[window] = after.get(window, 0) + change
    return after


def _reached(standing: Standing, ladder: Ladder, current: Window) -> str:
    sums = standing.qualifying
    return ladder.reached(max(sums.get(current.key, 0), sums.get(current.before, 0)))


def _move(draft: Draft, ladder: Ladder, tier: str, reason: str, key: Key | None) -> None:
    """Change the tier held, from the standing's clock on."""
    standing = draft.standing
    before = standing.tier or ladder.tiers.base
    standing.tier = tier
    standing.tier_history = _remembered(standing, TierHeld(standing.clock, tier))
    standing.tier_until = _until(standing, ladder)
    draft.say(
        TierChanged,
        key=key,
        version=ladder.program.version,
        before=before,
        after=tier,
        reason=reason,
        since=standing.clock,
        valid_until=standing.tier_until,
        **progress(standing, ladder),
    )


def _remembered(standing: Standing, held: TierHeld) -> list[TierHeld]:
    """The history with another entry, without what no late fact may ask for any more."""
    history = [entry for entry in standing.tier_history if entry.since != held.since]
    horizon = _horizon(standing.clock)
    while len(history) > 1 and history[1].since <= horizon:
        del history[0]
    return [*history, held]


def _hold(draft: Draft, ladder: Ladder, key: Key | None) -> None:
    """Say so where the tier stays, but until another date."""
    standing = draft.standing
    until = _until(standing, ladder)
    if until == standing.tier_until:
        return
    standing.tier_until = until
    draft.say(
        TierRetained,
        key=key,
        version=ladder.program.version,
        tier=standing.tier,
        valid_until=until,
        **progress(standing, ladder),
    )


def progress(standing: Standing, ladder: Ladder) -> dict[str, Any]:
    """How far the member is: the sum of the current window, what is missing to the next tier and to keep this one."""
    total = standing.qualifying.get(ladder.window(standing.clock).key, 0)
    tier = standing.tier or ladder.tiers.base
    levels = ladder.tiers.levels
    above = ladder.rank(tier) + 1
    told = {"qualifying": ladder.text(total)}
    if above < len(levels):
        told["to_next"] = ladder.text(max(0, levels[above].threshold - total))
    if not ladder.lifetime and ladder.above_base(tier):
        told["to_keep"] = ladder.text(max(0, ladder.threshold(tier) - total))
    return told


def _until(standing: Standing, ladder: Ladder) -> datetime | None:
    """Until when the tier holds if nothing more comes; None: for ever."""
    if ladder.lifetime or not ladder.above_base(standing.tier):
        return None
    current = ladder.window(standing.clock)
    held = ladder.threshold(standing.tier)
    if standing.qualifying.get(current.key, 0) >= held:
        return current.following
    if standing.clock < current.closing and standing.qualifying.get(current.before, 0) < held:
        return current.closing
    return current.evaluation


def tier_due(standing: Standing, ladder: Ladder | None) -> datetime | None:
    """The next instant at which time alone may change the tier."""
    if ladder is None or ladder.lifetime or not ladder.above_base(standing.tier):
        return None
    current = ladder.window(standing.clock)
    return current.closing if standing.clock < current.closing else current.evaluation


def evaluate(draft: Draft, ladder: Ladder) -> None:
    """At a window's end (and grace): keep the tier that is still qualified for, or fall."""
    standing = draft.standing
    reached = _reached(standing, ladder, ladder.window(standing.clock))
    place = ladder.rank(standing.tier)
    if ladder.rank(reached) >= place:
        _hold(draft, ladder, None)
        return
    one_below = ladder.tiers.levels[place - 1].id if ladder.tiers.fall == "one_level" and place else reached
    _move(draft, ladder, one_below, "window_ended", None)


def lift(draft: Draft, ladder: Ladder) -> None:
    """When a version takes force: rise to what its ladder says; it lowers only when the tier held ends."""
    standing = draft.standing
    reached = _reached(standing, ladder, ladder.window(standing.clock))
    if ladder.rank(reached) > max(0, ladder.rank(standing.tier or ladder.tiers.base)):
        _move(draft, ladder, reached, "program_changed", None)


def base_of(versions: Versions, instant: datetime) -> str:
    """The tier that everybody starts at; empty where there are none."""
    program = versions.at(instant)
    return program.tiers.base if program is not None and program.tiers is not None else ""
