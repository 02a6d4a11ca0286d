"""Aiokafka's producer, simulated: what the services use of it."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError, OutOfOrderSequenceNumber
from aiokafka.structs import RecordMetadata

from tests.support.simulation.faults import SEND_FATES, Fate, Fates
from tests.support.simulation.kafka import Broker, Header
from tests.support.simulation.loop import here, loop, wait_for_ever
from tests.support.simulation.wire import Client

BATCH_RECORDS_MAX = 4
"""So few go into a batch here that a relay's portion is several."""

GIVE_UP_S = 15.0
LATE_S = 25.0
"""How long after it was sent a batch may come to lie in the log, given up by its producer or not."""


class Batch:
    """aiokafka's batch builder."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes | None, bytes | None, list[Header], int | None]] = []

    def append(
        self, *, key: bytes | None, value: bytes | None, timestamp: int | None, headers: list[Header]
    ) -> int | None:
        """Add a record; None where it is full."""
        if len(self.records) == BATCH_RECORDS_MAX:
            return None
        self.records.append((key, value, headers, timestamp))
        return len(self.records)

    def record_count(self) -> int:
        """How many there are."""
        return len(self.records)

    def close(self) -> None:
        """Take no more."""


class Producer(Client):
    """aiokafka's idempotent producer: what it is sure of is in the log once; after a failure it is spent."""

    def __init__(self, broker: Broker, fates: Fates) -> None:
        super().__init__(broker, fates)
        self._spent = False

    def create_batch(self) -> Batch:
        """An empty batch."""
        return Batch()

    async def partitions_for(self, topic: str) -> set[int]:
        """The numbers of a topic's partitions."""
        await self._ask()
        return set(range(self._broker.partitions(topic)))

    async def send_and_wait(self, topic: str, value: bytes | None, **record: Any) -> RecordMetadata:
        """Send one record, and wait for its acknowledgement."""
        batch = Batch()
        batch.append(key=record["key"], value=value, timestamp=record["timestamp_ms"], headers=record["headers"])
        sent: RecordMetadata = await (await self.send_batch(batch, topic, partition=record["partition"]))
        return sent

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Any]:
        """Send a batch; its acknowledgement is the future's result."""
        here()
        if self._spent:
            raise OutOfOrderSequenceNumber
        fate = self._fates.of_request(SEND_FATES)
        await self._fates.before(fate)
        acknowledged: asyncio.Future[Any] = loop().create_future()
        where = TopicPartition(topic, partition)
        delay_s = self._fates.latency_s()
        if fate is Fate.LATE:
            delay_s = self._fates.chance.random() * LATE_S
        if fate is not Fate.CUT_BEFORE:
            loop().later(delay_s, self._arrive, where, batch, None if fate is Fate.CUT_AFTER else acknowledged)
        loop().call_later(GIVE_UP_S, self._give_up, acknowledged)
        self._fates.after(fate)
        if self.host.dead:
            await wait_for_ever()
        return acknowledged

    def _arrive(self, where: TopicPartition, batch: Batch, acknowledged: asyncio.Future[Any] | None) -> None:
        if not self._broker.up:
            return
        offsets = [
            self._broker.append(where, key, value, headers, timestamp_ms=timestamp)
            for key, value, headers, timestamp in batch.records
        ]
        if acknowledged is not None:
            sent = RecordMetadata(where.topic, where.partition, where, offsets[0], None, 0, 0)
            loop().later(self._fates.latency_s(), self._acknowledge, acknowledged, sent)

    def _acknowledge(self, acknowledged: asyncio.Future[Any], sent: RecordMetadata) -> None:
        if not acknowledged.done():
            acknowledged.set_result(sent)

    def _give_up(self, acknowledged: asyncio.Future[Any]) -> None:
        if not acknowledged.done():
            self._spent = True
            acknowledged.add_done_callback(asyncio.Future.exception)  # its sender may have gone
            acknowledged.set_exception(KafkaTimeoutError("no acknowledgement in time"))
