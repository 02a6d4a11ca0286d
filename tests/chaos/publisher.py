"""The publisher: sends the shop's records at a steady rate for as long as it is let."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer

from shared.broker import KAFKA_TRANSIENT, Outgoing, producer, publish
from shared.topics import Topics
from tests.chaos.traffic import Facts, Place
from tests.eventually import let_pass

PACE_S = 0.05
OWED_S_MAX = 15.0
"""What an outage kept from being sent is sent afterwards, up to so much."""

SEND_S_MAX = 20.0


@dataclass
class Publisher:
    """Publishes by the clock while it is let; what a failing broker may not have taken is sent again."""

    bootstrap_servers: str
    topics: Topics
    facts: Facts
    rate: int
    acknowledged: int = 0
    _on: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _producer: AIOKafkaProducer | None = None

    def go_on(self) -> None:
        """Publish."""
        self._idle.clear()  # at once: whoever holds right afterwards waits for the portion that this begins
        self._on.set()

    async def hold(self) -> None:
        """Publish no more; ends when nothing is under way."""
        self._on.clear()
        await self._idle.wait()

    async def run(self) -> None:
        """Publish whenever let, until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        try:
            while True:
                if not self._on.is_set():
                    self._idle.set()
                    await self._on.wait()
                    due = loop.time()
                self._idle.clear()
                due = max(due, loop.time() - OWED_S_MAX)
                owed = int((loop.time() - due + PACE_S) * self.rate)
                due += owed / self.rate
                await self._send(self.facts.take(max(1, owed)))
                await let_pass(PACE_S)
        finally:
            await self._give_up()

    async def _send(self, records: dict[Place, list[Outgoing]]) -> None:
        by_topic: defaultdict[str, dict[int, list[Outgoing]]] = defaultdict(dict)
        for (topic, partition), rows in records.items():
            by_topic[getattr(self.topics, topic)][partition] = rows
        while by_topic:
            try:
                async with asyncio.timeout(SEND_S_MAX):
                    to = await self._ready()
                    for topic in list(by_topic):
                        await publish(to, topic, by_topic[topic])
                        self.acknowledged += sum(map(len, by_topic.pop(topic).values()))
            except KAFKA_TRANSIENT:
                await self._give_up()
                await let_pass(PACE_S)

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
