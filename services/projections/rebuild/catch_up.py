"""Catching up: what the live tables folded since the log was read, by the same transaction that the service uses."""

from __future__ import annotations

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry

from services.projections import store
from services.projections.decode import decode_partition
from services.projections.positions import Fence
from services.projections.project import project
from shared.telemetry import RoomClock

BATCH = 5000
FETCH_WAIT_MS = 200


async def catch_up(
    session: asyncpg.Connection, consumer: AIOKafkaConsumer, topic: str, generation: int, until: dict[int, int]
) -> int:
    """Fold each partition up to the position named, or to where its log ends; gives how many events.

    Raises:
        ForkError, UnreadableEventError: the log can't be followed.
    """
    fences = await store.read_fences(session, generation)
    behind = {partition: fences[partition] for partition, to in until.items() if fences[partition].position < to}
    return sum(
        [
            await _follow(session, consumer, TopicPartition(topic, partition), generation, fence, until[partition])
            for partition, fence in behind.items()
        ]
    )


async def _follow(
    session: asyncpg.Connection,
    consumer: AIOKafkaConsumer,
    where: TopicPartition,
    generation: int,
    fence: Fence,
    until: int,
) -> int:
    clock = RoomClock(CollectorRegistry())
    folded = 0
    consumer.assign([where])
    end = (await consumer.end_offsets([where]))[where]
    consumer.seek(where, fence.next_offset)
    while fence.position < until and await consumer.position(where) < end:
        found = await consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=BATCH)
        decoded = decode_partition(where.partition, found.get(where, []))
        decoded.records = [record for record in decoded.records if record.position <= until]
        decoded.read_to = None
        decoded.foreign = []  # the service sets them aside
        followed = (await project(session, generation, [decoded], clock)).followed[where.partition]
        if followed.stop is not None:
            raise followed.stop
        fence = followed.fence
        folded += len(followed.applied)
    return folded
