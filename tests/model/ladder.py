"""Tiers of the naive model: windows, the level qualified for, how long a level lasts (rules 22, 23, 59-62)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from services.earning.program.terms import Program, Tiers
from tests.model.days import day_start, local_date

LIFETIME = "lifetime"


def window_of(tiers: Tiers, program: Program, instant: datetime) -> str:
    """The name of the window an instant falls in: its first local date, or lifetime."""
    if tiers.window == "lifetime":
        return LIFETIME
    return date(local_date(instant, program.zone).year, 1, 1).isoformat()


def window_after(window: str) -> str:
    """The next window."""
    return date(date.fromisoformat(window).year + 1, 1, 1).isoformat()


def window_before(window: str) -> str:
    """The window that ended when this one began."""
    return date(date.fromisoformat(window).year - 1, 1, 1).isoformat()


def check_at(tiers: Tiers, program: Program, window: str) -> datetime:
    """When a member may fall after this window: its end and the days of grace."""
    return day_start(date.fromisoformat(window_after(window)) + timedelta(days=tiers.grace_days), program.zone)


def index_of(tiers: Tiers, tier: str) -> int:
    """A level's place in the ladder; what the ladder doesn't know is the base."""
    return next((i for i, level in enumerate(tiers.levels) if level.id == tier), 0)


def level_for(tiers: Tiers, total: int) -> int:
    """The highest level whose threshold a total reaches."""
    return max((i for i, level in enumerate(tiers.levels) if level.threshold <= total), default=0)


def qualified(tiers: Tiers, program: Program, totals: Mapping[str, int], now: datetime) -> int:
    """The level of the better of the current window and the one before."""
    window = window_of(tiers, program, now)
    best = totals.get(window, 0)
    if window != LIFETIME:
        best = max(best, totals.get(window_before(window), 0))
    return level_for(tiers, best)


def valid_until(
    tiers: Tiers, program: Program, totals: Mapping[str, int], level: int, now: datetime
) -> datetime | None:
    """When the level would be lost if nothing else came; None: never."""
    if level == 0 or tiers.window == "lifetime":
        return None
    ended = window_before(window_of(tiers, program, now))
    while check_at(tiers, program, ended) <= now:
        ended = window_after(ended)
    threshold = tiers.levels[level].threshold
    while max(totals.get(ended, 0), totals.get(window_after(ended), 0)) >= threshold:
        ended = window_after(ended)
    return check_at(tiers, program, ended)
