"""The log: records of a Kafka topic read to a noted end, with an own reading of our headers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.consumer_watch import SupervisedConsumer

Ends = Mapping[TopicPartition, int]

_FETCH = 5_000
_FETCH_WAIT_MS = 20


class Log(SupervisedConsumer):
    """A reader of its own, without a group: it moves nobody's position."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        super().__init__(self._new, "verify")

    def _new(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap_servers,
            client_id="tallystick-verify",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_uncommitted",
            # The end of one partition must not hold up the beginning of the next.
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )

    async def partitions(self, topic: str) -> list[int]:
        """The numbers of a topic's partitions; none where there is no such topic."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap_servers)
        try:
            await admin.start()
            (described,) = await admin.describe_topics([topic])
        finally:
            await admin.close()
        return sorted(partition["partition"] for partition in described["partitions"])

    async def records(self, partition: TopicPartition, end: int, begin: int = 0) -> AsyncIterator[ConsumerRecord]:
        """Every record of the partition from offset `begin` (or where its log begins) to below offset `end`."""
        self.assign([partition])
        if begin:
            self.seek(partition, begin)
        else:
            await self.seek_to_beginning(partition)
        while await self.position(partition) < end:
            fetch = await self.getmany(partition, timeout_ms=1_000, max_records=_FETCH)
            for record in fetch.get(partition, ()):
                if record.offset < end:
                    yield record


def position_of(record: ConsumerRecord) -> int | None:
    """The position our header tells; None: not a record of ours."""
    for name, value in record.headers:
        if name == "position" and value is not None and value.isdigit():
            return int(value)
    return None
