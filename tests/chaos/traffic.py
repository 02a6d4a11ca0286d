"""Traffic: the shop's facts without end, with duplicates, late ones and poison in between, and who publishes them."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from aiokafka import AIOKafkaProducer

from shared.broker import KAFKA_TRANSIENT, Outgoing, producer, publish
from shared.shards import member_key, shard_of
from tests.chaos import poison
from tests.e2e import shop
from tests.waiting import let_pass

BEGAN = datetime(2025, 3, 1, tzinfo=UTC)
STEP = timedelta(seconds=20)
"""Stream time between two orders: a million of them fit into what lies between `BEGAN` and today."""

DUPLICATES, REORDERED, POISON = 0.05, 0.05, 0.01
HELD_BACK_MAX = 200
PACE_S = 0.05


class Facts:
    """An endless stream of records, the same for the same seed: pairs of partition and record."""

    def __init__(self, seed: str, *, shards: int, members: int = 400) -> None:
        self._draw = random.Random(seed)  # noqa: S311 (the same facts for the same seed is the point)
        self._shards = shards
        self._members = members
        self._numbers = count()
        self._ties = count()
        self._coming: list[tuple[float, int, shop.Said]] = []
        self._held: list[tuple[int, int, int, Outgoing]] = []
        self._sent = 0
        self.kinds: Counter[str] = Counter()

    def take(self, number: int) -> dict[int, list[Outgoing]]:
        """The next records, at least `number`, by partition."""
        taken: dict[int, list[Outgoing]] = {}
        target = self._sent + number
        while self._sent < target:
            for partition, record in self._next():
                taken.setdefault(partition, []).append(record)
                self._sent += 1
        return taken

    def _next(self) -> list[tuple[int, Outgoing]]:
        said = self._next_said()
        partition = shard_of(shop.PROGRAM, said.member, self._shards)
        key = member_key(shop.PROGRAM, said.member).encode()
        record = Outgoing(key, said.value, (), int(said.received_at.timestamp() * 1000))
        self.kinds["facts"] += 1
        due = []
        while self._held and self._held[0][0] <= self._sent:
            due.append(heapq.heappop(self._held)[2:])
        if self._draw.random() < REORDERED:
            self.kinds["reordered"] += 1
            self._hold(partition, record)
        else:
            due.append((partition, record))
        if self._draw.random() < DUPLICATES:
            self.kinds["duplicates"] += 1
            self._hold(partition, record)
        if self._draw.random() < POISON:
            self.kinds["poison"] += 1
            due.append((partition, poison.record(self._draw, key)))
        return due

    def _hold(self, partition: int, record: Outgoing) -> None:
        later = self._sent + self._draw.randrange(1, HELD_BACK_MAX)
        heapq.heappush(self._held, (later, next(self._ties), partition, record))

    def _next_said(self) -> shop.Said:
        number = next(self._numbers)
        at = BEGAN + number * STEP
        member = f"m-{int(self._members * self._draw.random() ** 2):04d}"
        for said in shop.life_of_an_order(number, member, at, self._draw):
            heapq.heappush(self._coming, (said.received_at.timestamp(), next(self._ties), said))
        return heapq.heappop(self._coming)[2]


@dataclass
class Publisher:
    """Publishes at a bounded rate while it is let; what a failing broker may not have taken is sent again."""

    bootstrap_servers: str
    topic: str
    facts: Facts
    rate: int
    acknowledged: int = 0
    _on: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _producer: AIOKafkaProducer | None = None

    def go_on(self) -> None:
        """Publish."""
        self._on.set()

    async def hold(self) -> None:
        """Publish no more; ends when nothing is under way."""
        self._on.clear()
        await self._idle.wait()

    async def run(self) -> None:
        """Publish whenever let, until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                if not self._on.is_set():
                    self._idle.set()
                    await self._on.wait()
                self._idle.clear()
                began = loop.time()
                await self._send(self.facts.take(max(1, int(self.rate * PACE_S))))
                await let_pass(max(0.0, PACE_S - (loop.time() - began)))
        finally:
            await self._give_up()

    async def _send(self, records: dict[int, list[Outgoing]]) -> None:
        while True:
            try:
                async with asyncio.timeout(20):
                    await publish(await self._ready(), self.topic, records)
            except KAFKA_TRANSIENT:
                await self._give_up()
                await let_pass(PACE_S)
            else:
                self.acknowledged += sum(map(len, records.values()))
                return

    async def _ready(self) -> AIOKafkaProducer:
        if self._producer is None:
            starting = producer(self.bootstrap_servers, "chaos-shop")
            try:
                await starting.start()
            except KAFKA_TRANSIENT:
                await starting.stop()
                raise
            self._producer = starting
        return self._producer

    async def _give_up(self) -> None:
        spent, self._producer = self._producer, None
        if spent is not None:
            with suppress(*KAFKA_TRANSIENT):
                async with asyncio.timeout(1):
                    await spent.stop()
