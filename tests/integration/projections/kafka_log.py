"""A points log on a real Kafka."""

from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.broker import Outgoing, producer, publish
from tests.unit.projections.points_log import Entry


async def make_topics(bootstrap_servers: str, names: Iterable[str], partitions: int) -> None:
    """Make topics with so many partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(name, partitions, 1, topic_configs={"retention.ms": "-1"}) for name in names]
        )
    finally:
        await admin.close()


async def publish_entries(bootstrap_servers: str, topic: str, entries: Iterable[Entry]) -> None:
    """Publish entries in this order, each to its partition."""
    await publish_records(bootstrap_servers, topic, [(entry.shard, entry.record) for entry in entries])


async def publish_records(bootstrap_servers: str, topic: str, records: Iterable[tuple[int, Outgoing]]) -> None:
    """Publish records in this order, each to the partition named."""
    by_partition: dict[int, list[Outgoing]] = {}
    for partition, record in records:
        by_partition.setdefault(partition, []).append(record)
    to = producer(bootstrap_servers, "points-log")
    await to.start()
    try:
        await publish(to, topic, by_partition)
    finally:
        await to.stop()
