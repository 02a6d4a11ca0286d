"""Records on their way to Kafka: by a client of their own, which is stopped whatever happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.broker import Outgoing, producer, publish


def by_partition(records: Iterable[tuple[int, Outgoing]]) -> dict[int, list[Outgoing]]:
    """Records with their partitions, in order → each partition's records."""
    found: dict[int, list[Outgoing]] = {}
    for partition, record in records:
        found.setdefault(partition, []).append(record)
    return found


async def send(bootstrap_servers: str, topic: str, records: Mapping[int, list[Outgoing]]) -> int:
    """Publish records by partition, and wait until they are acknowledged; gives their number."""
    to = producer(bootstrap_servers, "a-test")
    await to.start()
    try:
        await publish(to, topic, records)
    finally:
        await to.stop()
    return sum(map(len, records.values()))
