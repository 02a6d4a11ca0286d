"""Workers: processes of the two services on hosts that may die; each is started again, as a supervisor would."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from pydantic import PrivateAttr

from services.earning.app import App as EarningApp
from services.earning.settings import EarningSettings
from services.projections.app import App
from services.projections.settings import ProjectionsSettings
from shared.settings import Connections, Http
from shared.topics import Topics
from tests.support.simulation.faults import Fates
from tests.support.simulation.loop import Host, Loop

CONNECTIONS = Connections(kafka_bootstrap_servers="simulated", postgres_dsn="simulated")
RESTARTS_S = (0.1, 2.0, 8.0)
BATCHES = (1, 3, 20)


class Service(Protocol):
    """A process of a service: what it waits for, and its work until it is told to stop."""

    def waiting(self) -> dict[str, str]:
        """What it waits for, and why."""

    async def work(self, stopping: asyncio.Event) -> None:
        """Work."""


class SmallTopics(Topics):
    """Two input topics are enough to get in each other's way."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """In their rank."""
        return (self.commands, self.orders)


TOPICS = SmallTopics()


class _NamedSettings(EarningSettings):
    """Settings of a process whose name in leases is not this one's host and number."""

    _named: str = PrivateAttr("")

    @property
    def owner(self) -> str:
        """Its name in leases."""
        return self.instance or self._named


HTTP = Http()
IDLE_S = 15.0
"""Longer than the shop is ever silent while it has something to say."""

EARNING = _NamedSettings(relay_poll_ms=1000, inbox_poll_ms=1000, sweep_poll_ms=3000, idle_s=IDLE_S)
PROJECTIONS = ProjectionsSettings()


class Earning:
    """A process of earning."""

    def __init__(self, fates: Fates, instance: str | None, owner: str) -> None:
        chance = fates.chance
        own = {
            "instance": instance,
            "lanes": chance.choice((1, 2)),
            "batch": chance.choice(BATCHES),
            "relay_records": chance.choice((2, 50)),
        }
        settings = EARNING.model_copy(update=own)
        settings._named = owner
        self._process = EarningApp(settings, CONNECTIONS, TOPICS, HTTP)

    def waiting(self) -> dict[str, str]:
        """What it waits for, and why."""
        return self._process.readiness.waiting

    async def work(self, stopping: asyncio.Event) -> None:
        """Decide and relay."""
        await self._process.work(self._process.broker(), stopping)


class Projections:
    """A process of projections."""

    def __init__(self, fates: Fates, instance: str | None) -> None:
        chance = fates.chance
        own = {"instance": instance, "lanes": chance.choice((1, 2)), "batch": chance.choice(BATCHES)}
        self._app = App(CONNECTIONS, TOPICS, PROJECTIONS.model_copy(update=own))

    def waiting(self) -> dict[str, str]:
        """What it waits for, and why."""
        return self._app.metrics.readiness.waiting

    async def work(self, stopping: asyncio.Event) -> None:
        """Fold."""
        await self._app.work(stopping)


class Worker:
    """A place for one process, which is started again after it died."""

    def __init__(self, name: str, loop: Loop, fates: Fates, make: Callable[[Worker], Service]) -> None:
        self.name = name
        self._loop = loop
        self._fates = fates
        self._make = make
        self._keeps_name = fates.happens(0.5)
        self._starts = 0
        self._stopping = asyncio.Event()
        self.host = Host(name)
        self.service: Service | None = None
        self.trouble = ""

    @property
    def instance(self) -> str | None:
        """The name that it keeps over restarts, if it does."""
        return self.name if self._keeps_name else None

    @property
    def owner(self) -> str:
        """The name of this start."""
        return f"{self.name}/{self._starts}"

    def start(self) -> None:
        """Start a process, on a host of its own."""
        self._starts += 1
        host = self.host = Host(self.owner)
        host.watchers.append(lambda: self._died(host))
        self._stopping = asyncio.Event()
        self._loop.create_task(self._work(host, self._stopping), context=host.context())

    def replace(self) -> None:
        """Stop in good order, and start again."""
        self._stopping.set()

    def _died(self, host: Host) -> None:
        if host.dead and host is self.host:
            self.service = None
            after_s = self._fates.chance.random() * self._fates.chance.choice(RESTARTS_S)
            self._loop.later(after_s, self.start)

    async def _work(self, host: Host, stopping: asyncio.Event) -> None:
        service = self.service = self._make(self)
        await self._reported(service.work(stopping), stopping)
        host.crash()

    async def _reported(self, work: Awaitable[None], stopping: asyncio.Event) -> None:
        task = asyncio.ensure_future(work)
        await asyncio.wait([task])
        if task.cancelled():
            self.trouble = "cancelled itself"
        elif (error := task.exception()) is not None:
            self.trouble = f"died of {error!r}"
        elif not stopping.is_set():
            self.trouble = "ended by itself"
