"""Reading a topic's partitions from the beginning to their ends, without a group."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

Fetch = dict[TopicPartition, list[ConsumerRecord]]


async def read_whole(bootstrap_servers: str, topic: str, partitions: list[int], batch: int) -> AsyncIterator[Fetch]:
    """Yield fetches of at most `batch` records until every partition is read to the end it has now."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    try:
        await consumer.start()
        assigned = [TopicPartition(topic, partition) for partition in partitions]
        consumer.assign(assigned)
        await consumer.seek_to_beginning(*assigned)
        ends = await consumer.end_offsets(assigned)
        left = {partition: end for partition, end in ends.items() if end}
        while left:
            fetch = await consumer.getmany(timeout_ms=200, max_records=batch)
            for partition, records in fetch.items():
                if records[-1].offset + 1 >= left.get(partition, 0):
                    left.pop(partition, None)
            if fetch:
                yield fetch
    finally:
        await consumer.stop()
