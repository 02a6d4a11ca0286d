"""The real servers keep the contract that the doubles keep (tests/unit/simulation runs the same cases)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from shared.broker import CONSUMER_SETTINGS, producer
from shared.postgres import SESSION_SETTINGS, connect
from tests.conftest import new_topics
from tests.dying import end_fetching
from tests.integration.projections.kafka_log import make_topics
from tests.support.simulation.cases_generated import outcome
from tests.support.simulation.cases_kafka import KAFKA
from tests.support.simulation.cases_postgres import LOCKS
from tests.support.simulation.cases_statements import STATEMENTS
from tests.support.simulation.servers import PARTITIONS, Case, Door, Doubles


class Real:
    """A real database of a test's own, and a real broker."""

    def __init__(self, dsn: str, bootstrap_servers: str) -> None:
        self._dsn = dsn
        self._bootstrap_servers = bootstrap_servers
        self.sessions: list[Any] = []

    async def session(self, role: str, **settings: str) -> Any:
        session = await connect(self._dsn, role=role, application="test", settings=SESSION_SETTINGS | settings)
        self.sessions.append(session)
        return session

    async def member(self, session: Any, columns: Sequence[str]) -> tuple[Any, ...]:
        return tuple(await session.fetchrow(f"SELECT {', '.join(columns)} FROM projections.members_1"))  # noqa: S608 (our own names)

    async def rows(self, session: Any, table: str) -> Sequence[Mapping[str, Any]]:
        rows: Sequence[Mapping[str, Any]] = await session.fetch(f"SELECT * FROM earning.{table}")  # noqa: S608 (our own names)
        return rows

    async def topic(self) -> str:
        name = new_topics().points
        await make_topics(self._bootstrap_servers, [name], PARTITIONS)
        return name

    async def producer(self) -> Any:
        made = producer(self._bootstrap_servers, "test")
        await made.start()
        return made

    def consumer(self, *topics: str, group: str | None = None, listener: Any = None) -> Any:
        settings = dict(CONSUMER_SETTINGS)
        if group is None:
            del settings["partition_assignment_strategy"]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap_servers, group_id=group, enable_auto_commit=False, **settings
        )
        if topics:
            consumer.subscribe(topics, listener=listener)
        return consumer

    def end_fetching(self, consumer: Any) -> None:
        end_fetching(consumer)


@pytest.fixture
def real(dsn: str, bootstrap_servers: str) -> Iterator[Real]:
    real = Real(dsn, bootstrap_servers)
    yield real
    for session in real.sessions:
        session.terminate()


@pytest.mark.parametrize("case", [*LOCKS, *STATEMENTS, *KAFKA], ids=lambda case: case.__name__)
async def test_the_real_one(case: Case, real: Real) -> None:
    await case(real)


@pytest.mark.parametrize("seed", range(4))
async def test_random_rows_and_arguments_come_to_the_same_on_both(seed: int, real: Real) -> None:
    of_the_double: list[Any] = []

    async def on_the_double(door: Door) -> None:
        of_the_double.extend(await outcome(door, seed))

    await asyncio.to_thread(Doubles().run, on_the_double)
    assert of_the_double == await outcome(real, seed)
