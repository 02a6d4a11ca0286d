"""Ladders: the tiers of a program version, and the arithmetic of the windows in which members qualify for them.

Rules 22, 23 and 59 to 61.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.earning.decide.core.draft import Draft
from services.earning.decide.core.local_days import add_months, local_date, start_of_day
from services.earning.program.terms import Program, Tiers
from services.earning.state.standing import Standing
from shared.money import decimal

LIFETIME = "lifetime"
"""The key of the only window of a ladder whose window never ends."""

_LADDERS_MAX = 1_024
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


class Step(NamedTuple):
    """A tier's place: what it asks for, what the next one does (none: it is the top), and whether it can be lost."""

    rank: int
    threshold: int
    next_threshold: int | None
    above_base: bool


_ALWAYS = Window(LIFETIME, _FIRST, _LAST, LIFETIME, LIFETIME, _FIRST, _LAST, _LAST)


class Ladder:
    """The tiers of a program version."""

    __slots__ = ("_below", "_last", "_steps", "lifetime", "program", "rolling", "tiers", "zone")

    def __init__(self, program: Program, tiers: Tiers) -> None:
        self.program = program
        self.tiers = tiers
        self.zone = program.zone
        self.lifetime = tiers.window == "lifetime"
        self.rolling = tiers.window == "rolling"
        levels = tiers.levels
        above = [*[level.threshold for level in levels[1:]], None]
        self._steps = {
            level.id: Step(place, level.threshold, above[place], above_base=place > 0)
            for place, level in enumerate(levels)
        }
        self._below = Step(-1, 0, levels[0].threshold if levels else None, above_base=False)
        self._last = _ALWAYS if self.lifetime else _ALWAYS._replace(begins=_LAST)

    def step(self, tier: str) -> Step:
        """The place of a tier, the base where none is named; below the first where it isn't on the ladder."""
        return self._steps.get(tier or self.tiers.base, self._below)

    def rank(self, tier: str) -> int:
        """The place of a tier on the ladder; below the first where it isn't on it."""
        return self.step(tier).rank

    def above_base(self, tier: str) -> bool:
        """Whether a tier can be lost."""
        return self.step(tier).above_base

    def higher(self, tier: str, other: str) -> str:
        """The higher of two tiers; the first where neither is."""
        return other if self.rank(other) > self.rank(tier) else tier

    def lower(self, tier: str, other: str) -> str:
        """The lower of two tiers; the first where neither is."""
        return other if self.rank(other) < self.rank(tier) else tier

    def reached(self, qualifying: int) -> str:
        """The highest tier whose threshold a sum reaches; the base where it reaches none."""
        best = self.tiers.base
        for level in self.tiers.levels:
            if qualifying >= level.threshold:
                best = level.id
        return best

    def threshold(self, tier: str) -> int:
        """What a tier asks for; 0 for the base."""
        return self.step(tier).threshold

    def text(self, amount: int) -> str:
        """A qualifying sum as events tell it: points, orders, or money."""
        return decimal(amount) if self.tiers.measure == "spend" else str(amount)

    def key(self, standing: Standing, instant: datetime) -> str:
        """The key under which something of that instant qualifies: its window, or its day where windows roll."""
        if self.rolling:
            return local_date(self.zone, instant).isoformat()
        return self.window(standing, instant).key

    def window(self, standing: Standing, instant: datetime) -> Window:
        """The window that an instant lies in. Rolling windows have none."""
        last = self._last
        if last.begins <= instant < last.ends or self.lifetime:
            return last
        day = local_date(self.zone, instant)
        if self.tiers.window == "calendar_year":
            window = self._last = _window(self.zone, day.year, (1, 1), self.tiers.grace_days)
            return window
        joined = local_date(self.zone, standing.since or standing.clock)
        month_day = (joined.month, joined.day)
        year = day.year if day >= _anniversary(day.year, month_day) else day.year - 1
        return _window(self.zone, year, month_day, self.tiers.grace_days)

    def end_of_next(self, standing: Standing) -> datetime | None:
        """The end of the window after the present one, plus grace; None: never. Rolling: as if earned today."""
        if self.lifetime:
            return None
        if self.rolling:
            return self.checked(local_date(self.zone, standing.clock).isoformat())
        return self.window(standing, standing.clock).following

    def is_checked(self, standing: Standing) -> bool:
        """Whether the clock stands at a check: the end of a window and its grace, or of a day's time in it."""
        if self.lifetime:
            return False
        if self.rolling:
            return any(self.checked(day) == standing.clock for day in standing.qualifying)
        return self.window(standing, standing.clock).closing == standing.clock

    def total(self, standing: Standing) -> int:
        """The sum of the present window."""
        if self.rolling:
            return self.rolled(standing, standing.qualifying)
        return standing.qualifying.get(self.window(standing, standing.clock).key, 0)

    def rolled(self, standing: Standing, days: dict[str, int]) -> int:
        """The sum of days that a rolling window holds now."""
        return sum(amount for day, amount in days.items() if self.leaves(day) > standing.clock)

    def qualified(self, standing: Standing) -> str:
        """The tier that the present window's sum reaches, or the one before's."""
        return self.reached(self.best(standing))

    def best(self, standing: Standing) -> int:
        """The better sum of the present window and the one before; rolling and lifetime: the present one's."""
        if self.rolling or self.lifetime:
            return self.total(standing)
        window = self.window(standing, standing.clock)
        sums = standing.qualifying
        return max(sums.get(window.key, 0), sums.get(window.before, 0))

    def leaves(self, day: str) -> datetime:
        """When what qualified on a local day leaves a rolling window."""
        return _leaving(self.zone, day, self.tiers.months)

    def checked(self, day: str) -> datetime:
        """When the tier is checked because a day has left a rolling window: then, plus grace."""
        leaving = self.leaves(day)
        if not self.tiers.grace_days:
            return leaving
        return start_of_day(self.zone, local_date(self.zone, leaving) + timedelta(days=self.tiers.grace_days))


@lru_cache(maxsize=16_384)
def _leaving(zone: ZoneInfo, day: str, months: int) -> datetime:
    return start_of_day(zone, add_months(date.fromisoformat(day), months) + timedelta(days=1))


def _anniversary(year: int, month_day: tuple[int, int]) -> date:
    month, day = month_day
    return add_months(date(2000, month, day), (year - 2000) * _YEAR_MONTHS)


@lru_cache(maxsize=16_384)
def _window(zone: ZoneInfo, year: int, month_day: tuple[int, int], grace_days: int) -> Window:
    firsts = [_anniversary(year + years, month_day) for years in (-2, -1, 0, 1, 2)]
    grace = timedelta(days=grace_days)
    closing, evaluation, following = (start_of_day(zone, day + grace) for day in firsts[2:])
    return Window(
        firsts[2].isoformat(),
        start_of_day(zone, firsts[2]),
        start_of_day(zone, firsts[3]),
        firsts[1].isoformat(),
        firsts[0].isoformat(),
        closing,
        evaluation,
        following,
    )


_ladders: dict[int, Ladder] = {}


def ladder_of(program: Program | None) -> Ladder | None:
    """The ladder of a version, made once; None where it has no tiers."""
    if program is None or program.tiers is None:
        return None
    ladder = _ladders.get(id(program))
    if ladder is None or ladder.program is not program:
        if len(_ladders) >= _LADDERS_MAX:
            _ladders.clear()
        ladder = _ladders[id(program)] = Ladder(program, program.tiers)
    return ladder


def present_ladder(draft: Draft, otherwise: Program | None = None) -> Ladder | None:
    """The ladder in force at the member's clock; where there is none, that of another version, if one is given."""
    return ladder_of(draft.versions.at(draft.standing.clock)) or ladder_of(otherwise)
