"""Corners: each a moment or a mistake that no load finds by itself, on real servers."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from deploy.local_stack import LocalStack
from services.earning.program import registry
from services.earning.program.check import check
from services.verify.checker import verify
from shared.errors import ConfigurationError
from shared.postgres import TRANSIENT_ERRORS, connect
from shared.topics import Topics
from tests.chaos.test_lost_logs import orders
from tests.conftest import new_database
from tests.e2e import shop
from tests.e2e.pipeline import Pipeline
from tests.e2e.runs import SMALL_BATCHES
from tests.integration.earning.counter import DOCUMENT
from tests.integration.earning.worker import Town
from tests.integration.projections.desk import Desk
from tests.unit.projections.points_log import PointsLog
from tests.waiting import eventually


@pytest.fixture
async def town(bootstrap_servers: str, dsn: str, topics: Topics) -> Town:
    town = Town(bootstrap_servers, dsn, topics)
    await town.build()
    return town


@pytest.fixture
async def other_dsn(stack: LocalStack, template_database: str) -> AsyncIterator[str]:
    async with new_database(stack.endpoints.dsn, template_database) as own:
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


async def test_two_installations_on_one_points_topic_are_noticed(town: Town, other_dsn: str) -> None:
    """Both think that they are its only writer; readers stop where the two histories part, with an alarm."""
    async with town.worker():
        await town.decided(await town.publish(orders(0, 24)))
        await town.emitted()
    intruder = Town(town.bootstrap_servers, other_dsn, town.topics)
    session = await asyncpg.connect(other_dsn)
    await registry.publish(session, check(DOCUMENT.replace("rate: 1", "rate: 2").encode(), "other.yaml"))
    await session.close()
    async with town.worker(), intruder.worker(group=f"{town.topics.points}.intruder"):
        await town.publish(orders(24, 60))
        await town.decided(60)
        await intruder.decided(60)
        await town.emitted()
    desk = Desk(town.bootstrap_servers, town.dsn, town.topics, PointsLog())
    async with desk.worker() as reader:
        await eventually(
            lambda: any(name.startswith("partition ") for name in reader.telemetry.readiness.waiting),
            what="an alarm is up",
        )
        said = " ".join(reader.telemetry.readiness.waiting.values())
        assert "history" in said or "other content" in said


OLDER = """
DELETE FROM migrations.applied
WHERE (owner, name) = (SELECT owner, max(name) FROM migrations.applied WHERE owner = 'earning' GROUP BY owner)
"""
NEWER = "INSERT INTO migrations.applied (owner, name, checksum) VALUES ('earning', '9999_of_tomorrow.sql', '')"


@pytest.mark.parametrize(("change", "says"), [(OLDER, "older than this code"), (NEWER, "newer than this code")])
async def test_a_schema_of_another_version_is_refused_with_the_cure(town: Town, change: str, says: str) -> None:
    await town.execute(change)
    with pytest.raises(ConfigurationError, match=says) as refused:
        async with town.worker() as worker:
            await eventually(lambda: worker.shards > 0, what="the worker refuses", seconds=10)
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
