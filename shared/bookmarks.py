"""Bookmarks: what lies now where a record was read before, so that a log that has changed since is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple
from zlib import crc32

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.broker import UNREADABLE, reading

ANSWER_TIMEOUT_S = 10.0
POLL_MS = 200
FETCH_BYTES = 1024
"""Asked for at a time: Kafka gives the whole first batch anyway, and more than a record isn't looked at."""


class Found(NamedTuple):
    """Where a partition's log begins and ends, and its record at the offset looked at; None: no readable one."""

    begin: int
    end: int
    record: ConsumerRecord | None


async def look(bootstrap_servers: str, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, Found]:
    """What is found at an offset of each partition; for -1 only where its log begins and ends.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka fails, or doesn't answer in time.
    """
    if not offsets:
        return {}
    async with (
        asyncio.timeout(ANSWER_TIMEOUT_S),
        reading(bootstrap_servers, max_partition_fetch_bytes=FETCH_BYTES) as consumer,
    ):
        begins, ends = await consumer.beginning_offsets(list(offsets)), await consumer.end_offsets(list(offsets))
        there = {one: offset for one, offset in offsets.items() if begins[one] <= offset < ends[one]}
        records = await _records(consumer, there)
        return {one: Found(begins[one], ends[one], records.get(one)) for one in offsets}


async def _records(
    consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]
) -> dict[TopicPartition, ConsumerRecord]:
    """The record at each offset, where there is one; the partitions of unreadable ones are left out."""
    consumer.assign(list(offsets))
    for one, offset in offsets.items():
        consumer.seek(one, offset)
    found: dict[TopicPartition, ConsumerRecord] = {}
    left = list(offsets)
    while left:
        try:
            fetched = await consumer.getmany(left[0], timeout_ms=POLL_MS, max_records=1)
        except UNREADABLE:
            left.pop(0)
            continue
        for one, (record,) in fetched.items():
            if record.offset == offsets[one]:
                found[one] = record
            left.remove(one)
    return found


def crc_of(key: bytes | None, value: bytes | None) -> int:
    """A checksum of a record's content."""
    return crc32(value or b"", crc32(key or b""))
