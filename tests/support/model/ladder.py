"""Tiers of the naive model: windows, the level qualified for, how long a level lasts (rules 22, 23, 59-62)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.earning.program.terms import Program, Tiers
from tests.support.model.days import day_start, local_date, plus_months

LIFETIME = "lifetime"
YEAR = 12
NEW_YEAR = date(2000, 1, 1)


@dataclass(frozen=True)
class Ladder:
    """A program's tiers for one member, whose anniversaries count from `origin`.

    A window's name is its first local date; a rolling program has a bucket for every day, named alike.
    """

    tiers: Tiers
    program: Program
    origin: date

    @property
    def yearly(self) -> bool:
        return self.tiers.window in ("calendar_year", "anniversary")

    @property
    def rolling(self) -> bool:
        return self.tiers.window == "rolling"

    def _start(self, number: int) -> date:
        return plus_months(self.origin if self.tiers.window == "anniversary" else NEW_YEAR, YEAR * number)

    def _number(self, day: date) -> int:
        number = day.year - self._start(0).year
        while self._start(number) > day:
            number -= 1
        while self._start(number + 1) <= day:
            number += 1
        return number

    def window_of(self, instant: datetime) -> str:
        """The window (or the bucket) an instant falls in."""
        day = local_date(instant, self.program.zone)
        if self.yearly:
            day = self._start(self._number(day))
        return day.isoformat() if self.yearly or self.rolling else LIFETIME

    def after(self, window: str, by: int = 1) -> str:
        """The window so many windows on."""
        return self._start(self._number(date.fromisoformat(window)) + by).isoformat()

    def check_at(self, window: str) -> datetime:
        """When a member may fall after this window (or when this bucket has left): its end and the days of grace."""
        first = date.fromisoformat(window)
        last = plus_months(first, self.tiers.months) + timedelta(days=1) if self.rolling else None
        return self._day_start((last or date.fromisoformat(self.after(window))) + timedelta(days=self.tiers.grace_days))

    def _day_start(self, day: date) -> datetime:
        return day_start(day, self.program.zone)

    def leaves_at(self, bucket: str) -> datetime:
        """When a day's points are no longer in the rolling window (rule 61)."""
        day = plus_months(date.fromisoformat(bucket), self.tiers.months) + timedelta(days=1)
        return self._day_start(day)

    def end_of_next(self, now: datetime) -> datetime | None:
        """The end of the window after the present one, with its grace (rolling: as if earned now); None: never."""
        window = self.window_of(now)
        if window == LIFETIME:
            return None
        return self.check_at(window if self.rolling else self.after(window))

    def rises(self, buckets: Iterable[str], after: datetime) -> list[datetime]:
        """When time alone can raise the member after an instant: a bucket below zero may leave (rule 61)."""
        return sorted({at for bucket in buckets if (at := self.leaves_at(bucket)) > after}) if self.rolling else []

    def in_grace(self, now: datetime) -> bool:
        """Whether the grace of the window that ended last is not over."""
        return self.yearly and self.check_at(self.after(self.window_of(now), -1)) > now

    def index_of(self, tier: str) -> int:
        """A level's place in the ladder; what the ladder doesn't know is the base."""
        return next((i for i, level in enumerate(self.tiers.levels) if level.id == tier), 0)

    def level_for(self, total: int) -> int:
        """The highest level whose threshold a total reaches."""
        return max((i for i, level in enumerate(self.tiers.levels) if level.threshold <= total), default=0)

    def best(self, totals: Mapping[str, int], now: datetime) -> int:
        """The total that counts: of the current window or the one before, or of all days that haven't left."""
        if self.rolling:
            return sum(total for bucket, total in totals.items() if self.leaves_at(bucket) > now)
        window = self.window_of(now)
        if window == LIFETIME:
            return totals.get(window, 0)
        return max(totals.get(window, 0), totals.get(self.after(window, -1), 0))

    def judged(self, totals: Mapping[str, int], at: datetime) -> int:
        """The total that counts at a check (rule 62): of the ended window or the running one."""
        if self.rolling:
            return self.best(totals, at)
        ended = next(window for window in self._around(at) if self.check_at(window) == at)
        return max(totals.get(ended, 0), totals.get(self.after(ended), 0))

    def _around(self, at: datetime) -> list[str]:
        window = self.window_of(at)
        return [self.after(window, by) for by in range(-3, 3)]

    def checks(self, buckets: Iterable[str], after: datetime) -> list[datetime]:
        """The next checks after an instant."""
        if self.rolling:
            return sorted({check for bucket in buckets if (check := self.check_at(bucket)) > after})
        if not self.yearly:
            return []
        return [check for window in self._around(after) if (check := self.check_at(window)) > after]

    def valid_until(
        self, totals: Mapping[str, int], buckets: Iterable[str], level: int, now: datetime
    ) -> datetime | None:
        """When the level would be lost if nothing else came; None: never."""
        threshold = self.tiers.levels[level].threshold
        checks = self.checks(buckets, now) if level else []
        return next((check for check in checks if self.judged(totals, check) < threshold), None)
