"""The reports: a program's books by day, its redemptions, where points come from, who earns, points as they were."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from shared.point_events import EVENT_TYPES
from tests.integration.projections.projection_rig import Desk
from tests.unit.projections.points_log import BEGIN


@pytest.fixture
async def folded(desk: Desk) -> Desk:
    """Two members who earn, owe, spend and cancel."""
    log = desk.log
    log.earn("anna", 100)
    log.redeem("anna", 30, "mug")
    log.redeem("anna", 20, "cup")
    log.restore("anna", 20, "cup")
    log.restore("anna", 10, "mug")
    log.reject("anna", "car")
    log.earn("ben", 40)
    log.reverse("ben", 60)
    log.orders += 24 * 60  # the next day
    log.earn("ben", 50)
    await desk.publish()
    async with desk.worker():
        await desk.folded()
    return desk


async def test_each_day_balances_and_the_last_one_closes_with_what_the_members_have(folded: Desk) -> None:
    days = await folded.rows(
        "SELECT day, opening, earned, reversed, redeemed, restored, other, closing, events"
        " FROM loyalty.points_status ORDER BY day",
        role="analyst",
    )
    first = BEGIN.date()
    assert [tuple(day) for day in days] == [
        (first, 0, 140, -60, -50, 30, 0, 60, 8),
        (first + timedelta(days=1), 60, 50, 0, 0, 0, 0, 110, 1),
    ]
    held = await folded.rows("SELECT sum(available + pending - deficit)::bigint FROM loyalty.balances")
    assert held[0][0] == 110


async def test_a_day_is_one_of_the_program(folded: Desk) -> None:
    await folded.rows(
        "INSERT INTO earning.program_versions VALUES"
        " ('grocer', 1, '{\"time_zone\": \"Pacific/Kiritimati\"}', '', now(), now(), now(), 1)"
    )
    days = await folded.rows("SELECT min(day) FROM loyalty.points_status", role="analyst")
    assert days[0][0] == date(2026, 1, 1)
    later = await folded.rows("SELECT max(day) FROM loyalty.points_status", role="analyst")
    assert later[0][0] == date(2026, 1, 2)


async def test_what_became_of_each_redemption(folded: Desk) -> None:
    rows = await folded.rows(
        "SELECT redemption_id, status, points, restored, reason FROM loyalty.redemptions ORDER BY 1", role="analyst"
    )
    assert [tuple(row) for row in rows] == [
        ("car", "rejected", 0, 0, "insufficient_points"),
        ("cup", "cancelled", 20, 20, None),
        ("mug", "partly_cancelled", 30, 10, None),
    ]


async def test_where_points_come_from_and_who_earns_most(folded: Desk) -> None:
    sources = await folded.rows("SELECT kind, rule, earned, awards FROM loyalty.points_sources ORDER BY rule")
    assert [tuple(row) for row in sources] == [("order", "base", 187, 3), ("order", "dairy", 3, 3)]
    top = await folded.rows("SELECT rank, member, points FROM loyalty.top_earners ORDER BY rank", role="analyst")
    assert [tuple(row) for row in top] == [(1, "anna", 100), (2, "ben", 30)]


async def test_a_program_in_numbers(folded: Desk) -> None:
    (metrics,) = await folded.rows(
        "SELECT members, redeeming_members, available, deficit, earned, redeemed, redemption_rate"
        " FROM loyalty.program_metrics",
        role="analyst",
    )
    assert tuple(metrics) == (2, 1, 110, 0, 130, 20, Decimal("0.1538"))


async def test_points_as_they_were(folded: Desk) -> None:
    async def at(instant: str) -> list[tuple[object, ...]]:
        query = f"SELECT available, deficit FROM loyalty.balance_at('grocer', 'ben', '{instant}')"  # noqa: S608 (ours)
        return [tuple(row) for row in await folded.rows(query, role="analyst")]

    assert await at("2025-12-31") == []
    assert await at((BEGIN + timedelta(hours=2)).isoformat()) == [(0, 20)]
    assert await at("2026-01-03") == [(30, 0)]


async def test_history_says_why_in_words(folded: Desk) -> None:
    rows = await folded.rows("SELECT why FROM loyalty.history WHERE member = 'anna' ORDER BY sequence", role="analyst")
    assert [why for (why,) in rows if not why.startswith("tier ")] == [
        "earned: base 99, dairy 1",
        "spent: redemption mug",
        "spent: redemption cup",
        "given back: redemption cup cancelled",
        "given back: redemption mug cancelled",
        "redemption refused: insufficient_points",
    ]
    kinds = {event_type.removeprefix("loyalty.").removesuffix(".v1") for event_type in EVENT_TYPES}
    words = (await folded.rows("SELECT pg_get_viewdef('loyalty.history'::regclass)"))[0][0]
    assert {kind for kind in kinds if f"'{kind}'" not in words} == set()
