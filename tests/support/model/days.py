"""Local days for the naive model: when they begin, and how months are added."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    """The date on the wall at an instant."""
    return instant.astimezone(zone).date()


@cache
def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local date: the earlier midnight of two, and after a gap the first instant behind it."""
    midnight = datetime.combine(day, time(), zone)
    instant = midnight.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return instant
    before, behind = instant - timedelta(days=2), instant + timedelta(days=2)
    while behind - before > timedelta(microseconds=1):
        middle = before + (behind - before) / 2
        if local_date(middle, zone) < day:
            before = middle
        else:
            behind = middle
    return behind


def plus_months(day: date, months: int) -> date:
    """The date some months on, clamped to the month's end (rule 16)."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
