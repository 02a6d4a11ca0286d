"""A read model that only a test knows: registered, it is made, folded, rebuilt, compared and verified as any other."""

from __future__ import annotations

import asyncio

import pytest

from deploy import topics as topics_plan
from deploy.migrate import migrate
from services.projections import models
from services.projections.app import App
from services.projections.rebuild import Report, rebuild
from services.projections.schema import schema
from services.projections.settings import ProjectionsSettings
from services.verify.checker import verify
from shared import migrations
from shared.broker import Outgoing
from shared.errors import ConfigurationError
from shared.settings import Connections
from shared.topics import Topics
from tests.eventually import eventually
from tests.integration.earning.earning_rig import BEGAN, paid, shard
from tests.integration.earning.worker import Town
from tests.integration.projections import sources
from tests.integration.projections.projection_rig import Desk
from tests.unit.projections.points_log import PointsLog

MEMBERS = ("ann", "bea", "cem", "dan")
BY_HISTORY = (
    "SELECT program, member, source, count(*), sum(net)::bigint, max(sequence) FROM loyalty.history GROUP BY 1, 2, 3"
)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is registered, and nothing else of the code is touched."""
    monkeypatch.setattr(models, "MODELS", (*models.MODELS, sources.MODEL))


@pytest.fixture
async def town(bootstrap_servers: str, dsn: str, topics: Topics) -> Town:
    """A town without orders yet."""
    town = Town(bootstrap_servers, dsn, topics)
    await town.build()
    await topics_plan.change(bootstrap_servers, topics.orders, {"retention.ms": "-1"})  # its orders are of months ago
    return town


async def buy(town: Town, numbers: range) -> None:
    """So many orders of four members, decided and on the points topic."""
    records: dict[int, list[Outgoing]] = {}
    for number in numbers:
        member = MEMBERS[number % len(MEMBERS)]
        row = Outgoing(f"shop/{member}".encode(), paid(f"o-{number}", member=member), (), int(BEGAN.timestamp() * 1000))
        records.setdefault(shard(member), []).append(row)
    async with town.worker():
        await town.publish(records)
        await town.decided(numbers.stop)
        await town.emitted()


async def refusing(desk: Desk) -> None:
    """A worker that is never asked to stop."""
    connections = Connections(kafka_bootstrap_servers=desk.bootstrap_servers, postgres_dsn=desk.dsn)
    await App(connections, desk.topics, ProjectionsSettings(group=desk.group("refusing"))).work(asyncio.Event())


async def folded(desk: Desk, events: int) -> None:
    async def there() -> bool:
        return bool(await desk.value("SELECT count(*) = $1 FROM loyalty.history", events))

    await eventually(there, what=f"{events} events are folded")


async def rows(desk: Desk, statement: str) -> list[tuple[object, ...]]:
    return sorted(tuple(row) for row in await desk.rows(statement))


async def run(desk: Desk, *, check_only: bool = False) -> Report:
    return await rebuild(desk.dsn, desk.bootstrap_servers, desk.topics, check_only=check_only, processes=2)


async def test_a_read_model_is_made_folded_rebuilt_compared_and_verified(town: Town) -> None:
    desk = Desk(town.bootstrap_servers, town.dsn, town.topics, PointsLog())
    await buy(town, range(12))
    with pytest.raises(ConfigurationError, match=r"sources/view.sql"):
        await migrations.check(desk.dsn, [schema()])

    # The generation that is shown was made before it: there it is not folded, and a rebuild is what makes it.
    await migrate(desk.dsn)
    async with desk.worker():
        await folded(desk, 12)
    assert await desk.value("SELECT to_regclass('loyalty.sources')") is None
    report = await run(desk)
    assert (report.identical, report.swapped) == (True, True)
    assert [table.table for table in report.tables] == ["members", "history"]
    assert await desk.rows("TABLE loyalty.sources", role="analyst")
    assert await rows(desk, "TABLE loyalty.sources") == await rows(desk, BY_HISTORY)

    await buy(town, range(12, 20))
    async with desk.worker(batch=3):
        await folded(desk, 20)
    assert await rows(desk, "TABLE loyalty.sources") == await rows(desk, BY_HISTORY)
    report = await run(desk, check_only=True)
    assert report.identical
    assert [table.table for table in report.tables] == ["members", "history", "sources"]
    found = await verify(desk.bootstrap_servers, desk.dsn, desk.topics)
    assert (found.findings, found.checked["members in sources"]) == ([], len(MEMBERS))

    await desk.rows("UPDATE projections.sources_2 SET events = events + 1 WHERE member = 'bea'")
    report = await run(desk, check_only=True)
    assert [(each.table, each.member, each.what) for each in report.differences] == [
        ("sources", "bea", "row shop-eu events")
    ]
    await desk.rows("UPDATE projections.sources_2 SET member = 'nobody' WHERE member = 'bea'")
    found = await verify(desk.bootstrap_servers, desk.dsn, desk.topics)
    assert [(each.invariant, each.where) for each in found.findings] == [("I4", "shop/nobody")]


async def test_a_table_that_is_older_than_its_fold_is_made_anew_by_a_rebuild(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "MODELS", models.MODELS[:-1])
    await desk.rows("ALTER TABLE projections.history_1 DROP COLUMN hash")
    with pytest.raises(ConfigurationError, match=r"history lacks \['hash'\]"):
        await refusing(desk)
    assert (await run(desk)).swapped
    async with desk.worker():
        await desk.publish(desk.log.busy(20).entries)
        await desk.folded()
