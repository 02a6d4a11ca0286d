"""Watermark: how far stream time has come, everywhere; the sweeper goes no further than that less settle."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.earning.ledger.fences import stream_times

ANSWER_TIMEOUT_S = 10.0


async def watermark(
    session: asyncpg.Connection, consumer: AIOKafkaConsumer, topics: Sequence[str], shards: int, idle: timedelta
) -> datetime | None:
    """The least of what each input partition was last received at; None: one of them has told nothing yet.

    A partition that was read to its end and then had nothing to decide for `idle` (by the database clock) is as late
    as the present.

    Raises:
        KafkaError, OSError, TimeoutError, asyncpg.PostgresError: one of the servers is away.
    """
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        # Before the fences: what comes after this answer was received after it.
        ends = await ends_of(consumer, dict.fromkeys(topics, shards))
    told = {
        of: time.present if time.is_idle and of in ends and time.stored >= ends[of] else time.received_at_last
        for of, time in (await stream_times(session, topics, idle)).items()
    }
    known = [instant for of in ends if (instant := told.get(of)) is not None]
    return min(known) if len(known) == len(ends) else None


async def ends_of(consumer: AIOKafkaConsumer, sizes: Mapping[str, int]) -> dict[TopicPartition, int]:
    """Where each partition ends now, of topics with so many partitions.

    Raises:
        KafkaError: Kafka doesn't say.
    """
    partitions = [TopicPartition(topic, number) for topic, size in sizes.items() for number in range(size)]
    ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    return ends
