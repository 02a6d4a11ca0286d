"""What the command asks of the read models."""

from datetime import timedelta
from decimal import Decimal

import pytest

from services.projections import query
from shared.postgres import connect
from tests.integration.projections.projection_rig import Desk
from tests.unit.projections.points_log import BEGIN


@pytest.fixture
async def folded(desk: Desk) -> Desk:
    """Members with a known fate: anna is gold, ben owes."""
    desk.log.earn("anna", 600)
    desk.log.earn("ben", 40)
    desk.log.reverse("ben", 60)
    desk.log.earn("anna", 10)
    await desk.publish()
    async with desk.worker():
        await desk.folded()
    return desk


async def test_a_balance_with_its_tier(folded: Desk) -> None:
    session = await connect(folded.dsn, role="analyst", application="test")
    anna = await query.balance(session, "grocer", "anna")
    ben = await query.balance(session, "grocer", "ben")
    nobody = await query.balance(session, "grocer", "nobody")
    await session.close()
    assert anna is not None
    assert anna.tier is not None
    assert (anna.available, anna.gross["earned"]) == (610, 610)
    assert (anna.tier.tier, anna.tier.qualifying) == ("gold", Decimal(610))
    assert ben is not None
    assert (ben.available, ben.deficit, ben.gross["reversed"]) == (0, 20, 60)
    assert nobody is None


async def test_history_is_the_latest_lines_oldest_first(folded: Desk) -> None:
    session = await connect(folded.dsn, role="analyst", application="test")
    lines = await query.history(session, "grocer", "anna")
    latest = await query.history(session, "grocer", "anna", limit=1)
    await session.close()
    assert [(line.kind, line.why, line.change, line.balance) for line in lines] == [
        ("points.earned", "earned: base 599, dairy 1", 600, 600),
        ("tier.changed", "tier gold: threshold", 0, 600),
        ("points.earned", "earned: base 9, dairy 1", 10, 610),
    ]
    assert latest == lines[-1:]


async def test_the_books_of_a_period_balance(folded: Desk) -> None:
    session = await connect(folded.dsn, role="analyst", application="test")
    whole = await query.points_status(session, "grocer", BEGIN, BEGIN + timedelta(days=1))
    later = await query.points_status(session, "grocer", BEGIN + timedelta(minutes=4), BEGIN + timedelta(days=1))
    await session.close()
    assert whole.balanced
    assert (whole.opening, whole.closing, whole.now, whole.members) == (0, 590, 590, 2)
    assert {movement.kind: movement.net for movement in whole.movements} == {
        "points.earned": 650,
        "points.reversed": -60,
        "tier.changed": 0,
    }
    assert later.balanced
    assert (later.opening, later.closing) == (640, 590)


async def test_tiers_and_earners(folded: Desk) -> None:
    session = await connect(folded.dsn, role="analyst", application="test")
    counts = await query.tier_counts(session, "grocer")
    earners = await query.top_earners(session, "grocer", 1)
    await session.close()
    assert {count.tier: count.members for count in counts} == {"gold": 1, None: 1}
    assert [(earner.member, earner.earned) for earner in earners] == [("anna", 610)]


async def test_what_is_shown(folded: Desk) -> None:
    session = await connect(folded.dsn, role="projector", application="test")
    shown = await query.shown(session)
    await session.close()
    assert (shown.generation, shown.events) == (1, len(folded.log.entries))
