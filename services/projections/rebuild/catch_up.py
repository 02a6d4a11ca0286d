"""Catching up: what the live tables folded since the log was read, by the same transaction that the service uses."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from services.projections import store
from services.projections.decode import decode_partition
from services.projections.models import Model
from services.projections.positions import Fence
from services.projections.project import project
from services.projections.rebuild.read import next_records
from shared.consumer_watch import SupervisedConsumer
from shared.errors import UnreadableEventError
from shared.telemetry import RoomClock

NO_END = 2**63 - 1


async def catch_up(
    session: asyncpg.Connection,
    consumer: SupervisedConsumer,
    topic: str,
    generation: int,
    models: Sequence[Model],
    until: dict[int, int],
) -> int:
    """Fold each partition up to the position named, or to where its log ends; gives how many events.

    `session` is prepared for the generation, and `models` are what that gave.

    Without an end (`NO_END`) the log's end is also where it can't be followed: the service has its alarm up there.

    Raises:
        ForkError, UnreadableEventError: the log can't be followed up to the position named.
    """
    fences = await store.read_fences(session, generation)
    behind = {partition: fences[partition] for partition, to in until.items() if fences[partition].position < to}
    folded = 0
    for partition, fence in behind.items():
        where = TopicPartition(topic, partition)
        folded += await _follow(session, consumer, where, generation, models, fence, until[partition])
    return folded


async def _follow(
    session: asyncpg.Connection,
    consumer: SupervisedConsumer,
    where: TopicPartition,
    generation: int,
    models: Sequence[Model],
    fence: Fence,
    until: int,
) -> int:
    clock = RoomClock(CollectorRegistry())
    folded = 0
    consumer.assign([where])
    end = (await consumer.end_offsets([where]))[where]
    consumer.seek(where, fence.next_offset)
    while fence.position < until and await consumer.position(where) < end:
        try:
            records = await next_records(consumer, where, fence.position + 1)
        except UnreadableEventError:
            if until == NO_END:
                break
            raise
        decoded = decode_partition(where.partition, records)
        decoded.records = [record for record in decoded.records if record.position <= until]
        decoded.read_to = None
        decoded.foreign = []  # the service sets them aside
        followed = (await project(session, generation, models, [decoded], clock))[where.partition]
        fence = followed.fence
        folded += len(followed.applied)
        if followed.stop is not None:
            if until == NO_END:
                break
            raise followed.stop
    return folded
