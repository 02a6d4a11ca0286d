"""Postgres restored behind the log: what the log tells is learnt before anything else is decided."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from typer.testing import CliRunner, Result

from services.cli.main import app
from services.earning.program import registry
from services.earning.program.authoring.check import check
from services.earning.replay import recover as recovering
from services.earning.replay.recover import recover
from services.earning.replay.rederive import rederive
from services.verify.checker import verify
from shared.broker import Outgoing
from shared.codec import headers_of
from shared.errors import ForkError, UnreadableEventError
from shared.settings import Connections
from shared.topics import Topics
from tests.chaos.test_lost_logs import MEMBERS, STAMP, orders
from tests.integration.earning.earning_rig import BEGAN, DOCUMENT, PROGRAM, redeemed, shard
from tests.integration.earning.worker import Town
from tests.support.databases import copy_of, session

TIERS = """
tiers:
  measure: points_earned
  window: lifetime
  levels:
    - {id: bronze}
    - {id: silver, threshold: 60, multiplier: 2}
    - {id: gold, threshold: 200, multiplier: 3}
"""
HOUR = timedelta(hours=1)
JOURNAL = "SELECT shard, position, key, type, decided_at, bytes FROM earning.journal ORDER BY shard, position"


@pytest.fixture
async def town(bootstrap_servers: str, dsn: str, topics: Topics) -> Town:
    town = Town(bootstrap_servers, dsn, topics)
    await town.build(DOCUMENT + TIERS)
    return town


@asynccontextmanager
async def backup(town: Town) -> AsyncIterator[Town]:
    """The same installation with its database as it is now, however it goes on."""
    async with copy_of(town.dsn) as dsn:
        yield Town(town.bootstrap_servers, dsn, town.topics)


def connections(town: Town) -> Connections:
    return Connections(kafka_bootstrap_servers=town.bootstrap_servers, postgres_dsn=town.dsn)


async def relay(town: Town, up_to: dict[int, int] | None = None) -> None:
    """Publish the journal as the relay does, up to a position of each shard where one is named."""
    records: dict[int, list[Outgoing]] = {}
    for number, position, key, kind, decided_at, value in await town.fetch(JOURNAL):
        if position <= (up_to or {}).get(number, position):
            stamp = int(decided_at.timestamp() * 1000)
            row = Outgoing(key.encode(), value, headers_of(number, position, kind), stamp)
            records.setdefault(number, []).append(row)
    await town.publish(records, town.topics.points)


async def sound(town: Town) -> None:
    """Whether the checker, and deciding it all again, find nothing."""
    assert (await verify(town.bootstrap_servers, town.dsn, town.topics)).findings == []
    assert (await rederive(town.dsn, check=True)).differences == []


def spent(begin: int, end: int) -> dict[int, list[Outgoing]]:
    """Redemptions of a few points each, received after the first 200 orders."""
    by_partition: dict[int, list[Outgoing]] = {}
    for number in range(begin, end):
        member = MEMBERS[number % len(MEMBERS)]
        stamp = STAMP + 300_000 + number * 1000
        row = Outgoing(f"{PROGRAM}/{member}".encode(), redeemed(f"d-{number}", 3, member=member), (), stamp)
        by_partition.setdefault(shard(member), []).append(row)
    return by_partition


async def test_redemptions_tiers_and_programs_since_the_backup_are_as_they_were(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovering, "EVENTS_A_TRANSACTION", 7)
    async with town.worker():
        await town.decided(await town.publish(orders(0, 60)))
        await town.emitted()
    async with backup(town) as restored:
        await publish_version(town, rate="3")
        async with town.worker():
            await town.publish(two_hours_later(orders(60, 160)))
            await town.publish(two_hours_later(spent(0, 60)), town.topics.commands)
            await town.decided(220)
            await town.emitted()
        before = await town.fetch(JOURNAL)
        async with restored.worker():
            await restored.publish(two_hours_later(orders(160, 180)))
            await restored.decided(240)
            await restored.emitted()
        assert set(before) <= set(await restored.fetch(JOURNAL))
        await sound(restored)


def two_hours_later(records: dict[int, list[Outgoing]]) -> dict[int, list[Outgoing]]:
    """The same, happened and received two hours later."""
    then, now = (at.isoformat().encode() for at in (BEGAN, BEGAN + 2 * HOUR))
    return {
        number: [
            row._replace(value=(row.value or b"").replace(then, now), timestamp_ms=(row.timestamp_ms or 0) + 7_200_000)
            for row in rows
        ]
        for number, rows in records.items()
    }


async def publish_version(town: Town, *, rate: str) -> None:
    """A further version of the program, in force an hour later, and told on its topic, as the first one is."""
    document = (DOCUMENT + TIERS).replace("rate: 1", f"rate: {rate}")

    async def send(record: registry.Record) -> None:
        await town.publish({0: [Outgoing(record.key, record.value, record.headers)]}, town.topics.programs)

    async with session(town.dsn) as owner:
        await registry.publish(owner, check(document.encode(), "shop.yaml"))
        await owner.execute("UPDATE earning.program_versions SET in_force_from = $1 WHERE version > 1", BEGAN + HOUR)
        await registry.relay(owner, send)


async def test_a_log_that_ends_within_a_decision_keeps_what_it_told_and_gets_the_rest(town: Town) -> None:
    """The order and the rise of the tier are one decision; only the first of the two events was published."""
    async with town.worker(roles="decide"):
        await town.decided(await town.publish(orders(0, 40)))
    async with backup(town) as restored:
        async with town.worker(roles="decide"):
            await town.decided(40 + await town.publish(orders(40, 160)))
        rises = "SELECT shard, max(position) FROM earning.journal WHERE type = 'loyalty.tier.changed.v1' GROUP BY shard"
        within = {number: position - 1 for number, position in await town.fetch(rises)}
        await relay(town, within)
        told = {(r.partition, r.offset): r.value for r in await town.log()}
        await recover(connections(restored), restored.topics)
        positions = dict(await restored.fetch("SELECT shard, position FROM earning.shards"))
        assert all(positions[number] == position + 1 for number, position in within.items())
        async with restored.worker():
            await restored.decided(160)
            await restored.emitted()
        assert told.items() <= {(r.partition, r.offset): r.value for r in await restored.log()}.items()
        await sound(restored)


async def test_a_log_that_ends_with_copies_is_learnt_to_its_highest_position(town: Town) -> None:
    async with town.worker(roles="decide"):
        await town.decided(await town.publish(orders(0, 40)))
    async with backup(town) as restored:
        async with town.worker(roles="decide"):
            await town.decided(40 + await town.publish(orders(40, 80)))
        await relay(town)
        await relay(town, dict.fromkeys(range(4), 2))
        await recover(connections(restored), restored.topics)
        assert await restored.fetch(JOURNAL) == await town.fetch(JOURNAL)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE earning.shards SET chain = 'ff' WHERE position > 0",
        "UPDATE earning.journal SET bytes = 'other'",
    ],
    ids=["the log goes on from another event", "the log ends with another event"],
)
async def test_a_log_that_tells_another_history_is_a_fork(town: Town, damage: str) -> None:
    async with town.worker():
        await town.decided(await town.publish(orders(0, 40)))
        await town.emitted()
    async with backup(town) as restored:
        if "chain" in damage:
            async with town.worker():
                await town.decided(40 + await town.publish(orders(40, 80)))
                await town.emitted()
        await restored.execute(damage)
        before = await restored.fetch(JOURNAL)
        with pytest.raises(ForkError, match="another event"):
            await recover(connections(restored), restored.topics)
        assert await restored.fetch(JOURNAL) == before


async def test_what_comes_out_otherwise_is_refused_and_nothing_of_it_is_kept(town: Town) -> None:
    """Somebody has changed the program under the same version: the log can't be decided again by it."""
    async with town.worker():
        await town.decided(await town.publish(orders(0, 40)))
        await town.emitted()
    async with backup(town) as restored:
        async with town.worker():
            await town.decided(40 + await town.publish(orders(40, 80)))
            await town.emitted()
        await restored.execute(
            """UPDATE earning.program_versions SET document = replace(document, '"rate":"1"', '"rate":"2"')"""
        )
        before = await restored.fetch(JOURNAL)
        with pytest.raises(UnreadableEventError, match="comes out otherwise"):
            await recover(connections(restored), restored.topics)
        assert await restored.fetch(JOURNAL) == before


async def test_a_database_that_is_lost_is_made_anew_out_of_the_log_when_told_to(town: Town) -> None:
    async with backup(town) as empty:
        async with town.worker():
            await town.publish(orders(0, 60))
            await town.publish(spent(0, 30), town.topics.commands)
            await town.decided(90)
            await town.emitted()
        await empty.execute("DELETE FROM earning.program_versions")
        await publish_version(town, rate="3")
        ran = await asyncio.to_thread(tallystick, empty, "rebuild", "--journal", "--json")
        assert json.loads(ran.stdout) == {"learnt": len(await town.fetch(JOURNAL))}
        async with empty.worker():
            await empty.decided(90)
            await empty.emitted()
        assert await empty.fetch(JOURNAL) == await town.fetch(JOURNAL)
        assert await empty.totals() == (0, 90, 0, 0)
        await sound(empty)


def tallystick(town: Town, *arguments: str) -> Result:
    """The operator's command for an installation."""
    environment = {f"TOPIC_{name.upper()}": topic for name, topic in town.topics.model_dump().items()}
    environment |= {"KAFKA_BOOTSTRAP_SERVERS": town.bootstrap_servers, "POSTGRES_DSN": town.dsn}
    return CliRunner().invoke(app, arguments, env=environment, catch_exceptions=False)
