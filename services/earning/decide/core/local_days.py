"""Local days: where days begin and months end in a program's time zone. All instants are aware and in UTC.

Rules 16 and 17.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


def local_date(zone: ZoneInfo, instant: datetime) -> date:
    """The date on the wall at an instant."""
    return instant.astimezone(zone).date()


@lru_cache(maxsize=65_536)
def start_of_day(zone: ZoneInfo, day: date) -> datetime:
    """The first instant of a local date.

    Where clocks leap over midnight it is the first instant after the gap; where midnight comes twice, the earlier. A
    date that a zone left out altogether begins with the next one.
    """
    guess = datetime.combine(day, time(), zone).astimezone(UTC)
    if local_date(zone, guess) == day > local_date(zone, guess - _SECOND):
        return guess
    return _first_instant(zone, day, guess - 2 * _DAY, guess + 2 * _DAY)


def _first_instant(zone: ZoneInfo, day: date, before: datetime, after: datetime) -> datetime:
    """Halve the span until the second is found at which the wall first shows `day`, or a later date."""
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if local_date(zone, middle) >= day:
            after = middle
        else:
            before = middle
    return after


def add_months(day: date, months: int) -> date:
    """The same day of the month, `months` later; the month's last day where it is too short."""
    count = day.year * 12 + day.month - 1 + months
    year, month = divmod(count, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def end_of_day(zone: ZoneInfo, day: date) -> datetime:
    """The first instant after a local date."""
    return start_of_day(zone, day + _DAY)
