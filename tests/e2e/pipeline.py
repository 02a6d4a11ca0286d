"""An installation of a test's own: topics and a database nobody else uses, services as processes that can be killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import asyncpg

from deploy import topics as topics_plan
from services.cli.supervise import ServiceProcess
from services.earning.program import registry
from services.earning.program.authoring.check import check
from services.earning.replay.rederive import rederive
from services.verify.checker import verify
from shared.broker import Outgoing
from shared.topics import Topics
from tests.eventually import eventually
from tests.support.builders.sending import send
from tests.support.databases import session

Rows = list[tuple[object, ...]]

_BALANCES = """
SELECT program, member, available, pending, deficit, earned, reversed, redeemed, expired, sequence
FROM loyalty.balances ORDER BY program, member
"""
_TIERS = "SELECT program, member, tier, since, valid_until FROM loyalty.tiers ORDER BY program, member"
_HISTORY = """
SELECT program, member, sequence, occurred_at, booked_at, kind, why, change, balance, pending, deficit, order_id, rules
FROM loyalty.history ORDER BY program, member, sequence
"""
_DECIDED = "SELECT coalesce(sum(applied + duplicate + rejected + dead_letter), 0)::bigint FROM earning.fences"
_BEHIND = """
SELECT (SELECT coalesce(sum(position), 0) FROM earning.shards)::bigint - (SELECT count(*) FROM loyalty.history)
    + (SELECT count(*) FROM earning.inbox)
"""


@dataclass
class Tables:
    """What analysts see: balances, tiers, and each member's history line by line."""

    balances: Rows
    tiers: Rows
    history: Rows

    @property
    def available(self) -> dict[str, int]:
        """Each member's points that can be spent; for tests with one program."""
        return {str(member): cast("int", available) for _, member, available, *_ in self.balances}


@dataclass
class Pipeline:
    """Both services around the servers of the test session."""

    directory: Path
    bootstrap_servers: str
    dsn: str
    topics: Topics
    shards: int = 4
    processes: list[ServiceProcess] = field(default_factory=list)

    async def prepare(self, document: str) -> None:
        """Make the topics and publish the program."""
        await self.make_topics()
        async with session(self.dsn) as owner:
            await registry.publish(owner, check(document.encode(), "program.yaml"))

    async def make_topics(self) -> None:
        """Make the topics. The shop's facts are of last year: retention by time would delete them while we read."""
        await topics_plan.create(self.bootstrap_servers, self.topics, self.shards)
        for topic in self.topics.inputs:
            await topics_plan.change(self.bootstrap_servers, topic, {"retention.ms": "-1"})

    async def publish(self, records: Mapping[int, list[Outgoing]], topic: str | None = None) -> int:
        """Publish records by partition (to the orders topic); gives their number."""
        return await send(self.bootstrap_servers, topic or self.topics.orders, records)

    def start(self, service: str, settings: Mapping[str, str], *, number: int = 1) -> ServiceProcess:
        """Start a process of a service, with further settings as environment variables; waits for nothing."""
        process = ServiceProcess(self.directory, service, number=number)
        if process.name not in {known.name for known in self.processes}:
            self.processes.append(process)
        process.start({**self.environment(), **settings})
        return process

    def environment(self) -> dict[str, str]:
        """What both services and `tallystick` need to find this installation."""
        names = {f"TOPIC_{name.upper()}": value for name, value in self.topics.model_dump().items()}
        group = self.topics.points
        return names | {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "POSTGRES_DSN": self.dsn,
            "POINTS_PARTITIONS": str(self.shards),
            "EARNING_GROUP": f"{group}.earning",
            "PROJECTIONS_GROUP": f"{group}.projections",
        }

    def stop(self) -> None:
        """End every process that runs; a paused one too."""
        for process in self.processes:
            if (pid := process.pid) is not None:
                os.kill(pid, signal.SIGCONT)
            process.kill()

    async def value(self, query: str) -> int:
        """One number from the database; -1 while it doesn't answer."""
        try:
            connection = await asyncpg.connect(self.dsn, timeout=5)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return -1
        try:
            value: int = await connection.fetchval(query)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return -1
        else:
            return value
        finally:
            connection.terminate()

    async def decided(self, at_least: int) -> None:
        """Wait until so many inputs are decided."""
        await self._reaches(_DECIDED, at_least, f"{at_least} inputs to be decided")

    async def visible(self, at_least: int) -> None:
        """Wait until so many point events are in history."""
        await self._reaches("SELECT count(*) FROM loyalty.history", at_least, f"{at_least} point events in history")

    async def _reaches(self, query: str, at_least: int, what: str) -> None:
        async def enough() -> bool:
            return await self.value(query) >= at_least

        await self.until(enough, what)

    async def settled(self, inputs: int) -> None:
        """Wait until all inputs and messages are decided and every point event is in the read models."""
        await self.decided(inputs)

        async def level() -> bool:
            return await self.value(_BEHIND) == 0

        await self.until(level, "the read models to have every point event")

    async def died(self, process: ServiceProcess) -> None:
        """Wait until a process has ended by itself."""
        await self.until(lambda: process.pid is None, f"{process.name} to die")

    async def until(self, condition: Callable[[], bool | Awaitable[bool]], what: str) -> None:
        """Wait for a condition; fails with what was waited for, and the services' last words."""
        try:
            await eventually(condition, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self._last_words()}") from None

    def _last_words(self) -> str:
        said = []
        for process in self.processes:
            lines = process.log_file.read_text("utf-8").splitlines()[-5:] if process.log_file.exists() else []
            said.append(f"{process.name} (pid {process.pid}):\n" + "\n".join(lines))
        return "\n".join(said)

    async def is_as_the_log_says(self) -> None:
        """The checker finds nothing, and deciding the whole journal again comes to the same."""
        assert (await verify(self.bootstrap_servers, self.dsn, self.topics)).findings == []
        again = await rederive(self.dsn, check=True)
        assert (again.different, again.differences) == (0, [])

    async def tables(self) -> Tables:
        """What analysts see now."""
        async with session(self.dsn) as reader:
            return Tables(
                *[[tuple(row) for row in await reader.fetch(query)] for query in (_BALANCES, _TIERS, _HISTORY)]
            )
