"""Local days and months: rules 16 and 17."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.earning.decide.core.local_days import add_months, local_date, start_of_day


@pytest.mark.rule(17)
@pytest.mark.parametrize(
    ("zone", "day", "first"),
    [
        ("Europe/Berlin", "2026-06-16", "2026-06-15T22:00:00+00:00"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00+00:00"),
        ("America/Havana", "2026-11-01", "2026-11-01T04:00:00+00:00"),
        ("Asia/Beirut", "2022-03-27", "2022-03-26T22:00:00+00:00"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00+00:00"),
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00+00:00"),
    ],
)
def test_rule_17_a_day_begins_at_its_first_instant(zone: str, day: str, first: str) -> None:
    where, wanted = ZoneInfo(zone), date.fromisoformat(day)
    start = start_of_day(where, wanted)
    assert start.isoformat() == first
    assert local_date(where, start) >= wanted > local_date(where, start - timedelta(seconds=1))


@pytest.mark.rule(16)
@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2026-01-31", 12, "2027-01-31"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2026-03-31", -1, "2026-02-28"),
        ("2026-11-30", 3, "2027-02-28"),
    ],
)
def test_rule_16_month_ends_clamp(day: str, months: int, then: str) -> None:
    assert add_months(date.fromisoformat(day), months) == date.fromisoformat(then)
