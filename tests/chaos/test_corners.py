"""Corners: each a moment or a mistake that no load finds by itself, on real servers."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from services.verify.checker import verify
from shared.broker import Outgoing
from shared.errors import ConfigurationError
from shared.postgres import TRANSIENT_ERRORS, connect
from shared.topics import Topics
from tests.chaos.test_lost_logs import MEMBERS, STAMP, orders
from tests.e2e import shop
from tests.e2e.pipeline import Pipeline
from tests.e2e.runs import SMALL_BATCHES
from tests.eventually import eventually
from tests.integration.earning.earning_rig import DOCUMENT, PROGRAM, paid, redeemed, shard
from tests.integration.earning.worker import Town
from tests.support.databases import copy_of


@pytest.fixture
async def town(bootstrap_servers: str, dsn: str, topics: Topics) -> Town:
    town = Town(bootstrap_servers, dsn, topics)
    await town.build()
    return town


@pytest.fixture
async def other_dsn(template_database: str) -> AsyncIterator[str]:
    async with copy_of(template_database) as own:
        yield own


async def test_a_worker_of_earning_paused_inside_its_transaction_frees_its_locks_and_changes_nothing(
    tmp_path: Path, bootstrap_servers: str, dsn: str, topics: Topics
) -> None:
    """It wakes up when all it held is decided by another: its commit is too late, and changes nothing."""
    pipeline = Pipeline(tmp_path, bootstrap_servers, dsn, topics)
    try:
        await pipeline.prepare(shop.DOCUMENT)
        inputs = await pipeline.publish(shop.records(shop.facts(300), pipeline.shards))
        sleeper = pipeline.start("earning", SMALL_BATCHES | {"EARNING_FAILPOINT": "before_commit:3:pause"})

        async def asleep() -> bool:
            return sleeper.pid is not None and psutil.Process(sleeper.pid).status() == psutil.STATUS_STOPPED

        await pipeline.until(asleep, "the worker to come to its failpoint")
        pipeline.start("earning", SMALL_BATCHES, number=2)
        pipeline.start("projections", SMALL_BATCHES)
        await pipeline.settled(inputs)
        assert sleeper.pid is not None
        os.kill(sleeper.pid, signal.SIGCONT)
        sleeper.await_ready()
        report = await verify(bootstrap_servers, dsn, topics)
        assert report.findings == []
        assert report.checked["inputs"] == inputs
    finally:
        pipeline.stop()


async def test_an_installation_that_comes_to_the_log_of_another_is_refused(town: Town, other_dsn: str) -> None:
    """Its journal is empty and the log is not: it can't be the one that wrote it."""
    async with town.worker():
        await town.decided(await town.publish(orders(0, 24)))
        await town.emitted()
    intruder = Town(town.bootstrap_servers, other_dsn, town.topics)
    with pytest.raises(ConfigurationError, match="has decided none of them") as refused:
        await intruder.worker_ends()
    assert "name another topic" in refused.value.cure
    assert await intruder.fetch("SELECT count(*) FROM earning.journal") == [(0,)]


async def test_of_two_installations_that_begin_together_on_one_points_topic_one_sees_the_other_and_ends(
    tmp_path: Path, bootstrap_servers: str, dsn: str, other_dsn: str, topics: Topics
) -> None:
    """Both think that they are its only writer, until one sees an event of the other where it has its own."""
    town = Pipeline(tmp_path / "town", bootstrap_servers, dsn, topics)
    intruder = Pipeline(tmp_path / "intruder", bootstrap_servers, other_dsn, topics)
    try:
        await town.prepare(DOCUMENT)
        await intruder.prepare(DOCUMENT.replace("rate: 1", "rate: 2"))
        mine = town.start("earning", SMALL_BATCHES)
        theirs = intruder.start("earning", SMALL_BATCHES | {"EARNING_GROUP": f"{topics.points}.intruder"})
        mine.await_ready()
        theirs.await_ready()
        await town.publish(orders(0, 60))

        async def one_has_ended() -> bool:
            return mine.pid is None or theirs.pid is None

        await town.until(one_has_ended, "one of the two to end")
        ended = mine if mine.pid is None else theirs
        assert "another event than the journal" in ended.log_file.read_text("utf-8")
    finally:
        town.stop()
        intruder.stop()


async def test_after_an_outage_no_redemption_overtakes_the_order_that_pays_for_it(town: Town) -> None:
    """Two hours of orders and a thousand redemptions wait; each redemption needs the order a moment before it."""
    paying: dict[int, list[Outgoing]] = {}
    spending: dict[int, list[Outgoing]] = {}
    for number in range(1000):
        member = MEMBERS[number % len(MEMBERS)]
        key, at_ms = f"{PROGRAM}/{member}".encode(), STAMP + number * 7_200
        order = Outgoing(key, paid(f"o-{number}", member=member), (), at_ms)
        paying.setdefault(shard(member), []).append(order)
        redemption = Outgoing(key, redeemed(f"d-{number}", 10, member=member), (), at_ms + 1)
        spending.setdefault(shard(member), []).append(redemption)
    await town.publish(spending, town.topics.commands)
    await town.publish(paying)
    async with town.worker(batch=100):
        await town.decided(2000)
        await town.emitted()
    assert await town.totals() == (2000, 0, 0, 0)
    assert (await verify(town.bootstrap_servers, town.dsn, town.topics)).findings == []


OLDER = """
DELETE FROM migrations.applied
WHERE (owner, name) = (SELECT owner, max(name) FROM migrations.applied WHERE owner = 'earning' GROUP BY owner)
"""
NEWER = """
INSERT INTO migrations.applied (owner, name, checksum, repeats) VALUES ('earning', '9999_of_tomorrow.sql', '', false)
"""


@pytest.mark.parametrize(("change", "says"), [(OLDER, "older than this code"), (NEWER, "newer than this code")])
async def test_a_schema_of_another_version_is_refused_with_the_cure(town: Town, change: str, says: str) -> None:
    await town.execute(change)
    with pytest.raises(ConfigurationError, match=says) as refused:
        await town.worker_ends()
    assert refused.value.cure


async def test_a_session_that_the_server_ends_between_two_statements_is_a_passing_failure(dsn: str) -> None:
    session, other = await connect(dsn, application="test"), await connect(dsn, application="test")
    try:
        await session.execute("BEGIN")
        await other.execute("SELECT pg_terminate_backend($1)", session.get_server_pid())

        async def told() -> bool:
            # Not yet closed, but its last words have come: the moment at which asyncpg speaks of a state of its own.
            return session.is_closed() or not await other.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE pid = $1", session.get_server_pid()
            )

        await eventually(told, what="the session is gone")
        with pytest.raises(TRANSIENT_ERRORS):
            await session.execute("COMMIT")
    finally:
        session.terminate()
        await other.close()
