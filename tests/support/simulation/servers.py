"""Doors: where a case of the contract finds a database and a broker, simulated ones or real."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Protocol, cast

import pytest

import shared.clients
import shared.consumer_watch
from shared.broker import producer
from shared.clients import clients
from shared.postgres import SESSION_SETTINGS
from tests.support.simulation.consumer import Consumer, Fetching
from tests.support.simulation.faults import Fates
from tests.support.simulation.inside import Inside
from tests.support.simulation.kafka import Broker
from tests.support.simulation.loop import Host, Loop, here
from tests.support.simulation.postgres import Server
from tests.support.simulation.producer import Producer
from tests.support.simulation.session import Session
from tests.support.simulation.statements import statements
from tests.support.simulation.tables import EARNING, ROWS

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
PARTITIONS = 2


class Door(Protocol):
    """What a case may ask for: sessions, topics, and clients of Kafka."""

    async def session(self, role: str, **settings: str) -> Any:
        """A new session of a service's role; settings beside the usual ones."""

    async def member(self, session: Any, columns: Sequence[str]) -> tuple[Any, ...]:
        """Columns of the one row of projections' members."""

    async def rows(self, session: Any, table: str) -> Sequence[Mapping[str, Any]]:
        """All rows of a table of earning, every column by its name."""

    async def topic(self) -> str:
        """A new topic with two partitions."""

    async def producer(self) -> Any:
        """A started producer as the services make it."""

    def consumer(self, *topics: str, group: str | None = None, listener: Any = None) -> Any:
        """A consumer with the services' settings, not started."""

    def end_fetching(self, consumer: Any) -> None:
        """Let the task of a consumer die that brings its records."""


Case = Callable[[Door], Coroutine[Any, Any, None]]
"""What the services rely on, asked of a database or a broker: it raises where it isn't so."""


def taking(module: Mapping[str, Any], **parameter: str) -> tuple[Any, ...]:
    """The functions of a module, in its order, that take one parameter of this name and type, and give nothing."""
    hints = parameter | {"return": "None"}
    return tuple(each for each in module.values() if getattr(each, "__annotations__", None) == hints)


class Doubles:
    """The simulated servers, on which nothing fails by chance."""

    def __init__(self) -> None:
        self._loop = Loop()  # type: ignore[abstract] # what the services don't use isn't there
        self._fates = Fates(0)
        self._fates.harmful = False
        self._server = Server(self._loop, BEGAN, statements())
        self._broker = Broker(self._loop, self._fates, lambda: int(self._server.clock().timestamp() * 1000))
        self._topics = 0

    def run(self, case: Any) -> None:
        """Run a case."""
        with ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(shared.consumer_watch, "Inside", Inside)
            simulated = clients()._replace(producer=lambda **_: Producer(self._broker, self._fates))
            patch.setattr(shared.clients, "CLIENTS", simulated)
            self._loop.run(self._on_a_host(case))

    async def _on_a_host(self, case: Any) -> None:
        await self._loop.create_task(case(self), context=Host("a host").context())

    async def session(self, _: str, **settings: str) -> Any:
        """A new session."""
        session = Session(self._server, self._fates, here(), SESSION_SETTINGS | settings)
        await session.connect()
        return session

    async def member(self, _: Any, columns: Sequence[str]) -> tuple[Any, ...]:
        """Columns of the one row of projections' members."""
        (row,) = self._server.tables[ROWS["members"]].values()
        return tuple(getattr(row, column) for column in columns)

    async def rows(self, _: Any, table: str) -> Sequence[Mapping[str, Any]]:
        """All rows of a table of earning."""
        return [row._asdict() for row in cast("Any", self._server.tables[EARNING[table][0]].values())]

    async def topic(self) -> str:
        """A new topic with two partitions."""
        self._topics += 1
        name = f"topic-{self._topics}"
        self._broker.create(name, PARTITIONS)
        return name

    async def producer(self) -> Any:
        """A started producer."""
        made = producer("simulated", "test")
        await made.start()
        return made

    def consumer(self, *topics: str, group: str | None = None, listener: Any = None) -> Any:
        """A consumer, not started."""
        return Consumer(self._broker, self._fates, topics=topics, group=group, listener=listener)

    def end_fetching(self, consumer: Any) -> None:
        """Let the task of a consumer die that brings its records."""
        consumer.fetching = Fetching.ENDED
