"""A points log on a real Kafka."""

from collections.abc import Iterable

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.record.util import calc_crc32c

from shared.broker import Outgoing
from tests.support.builders.sending import by_partition, send
from tests.unit.projections.points_log import Entry

CRC_AT = slice(17, 21)
"""Where a record batch has its checksum, which covers all that follows it."""


async def make_topics(bootstrap_servers: str, names: Iterable[str], partitions: int) -> None:
    """Make topics with so many partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        await admin.start()
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
    await send(bootstrap_servers, topic, by_partition(records))


async def publish_a_header_name_that_is_no_text(bootstrap_servers: str, topic: str, partition: int) -> None:
    """Publish a record such as no client of ours can make, nor aiokafka hand over: its header's name is not UTF-8."""
    to = AIOKafkaProducer(bootstrap_servers=bootstrap_servers)
    try:
        await to.start()
        batch = to.create_batch()
        batch.append(key=None, value=b"value", timestamp=None, headers=[("NAME", b"value")])
        buffer = bytearray(batch._build())
        name = buffer.index(b"NAME")
        buffer[name : name + 4] = b"\xff\xff\xff\xff"
        buffer[CRC_AT] = calc_crc32c(bytes(buffer[CRC_AT.stop :])).to_bytes(4, "big")
        batch._buffer = buffer
        await (await to.send_batch(batch, topic, partition=partition))
    finally:
        await to.stop()
