"""Programs: registry and topic are made to tell the same versions, before anything is decided by them.

A database that comes back from a backup lacks its newest programs, and a topic may have lost some that it had.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from services.earning.program import registry
from services.earning.program.registry import Published
from shared.broker import Outgoing, producer, publish

log = structlog.get_logger(__name__)

POLL_MS = 500
ANSWER_TIMEOUT_S = 10.0
"""How long Kafka may take for all of the topic."""


async def level_programs(
    session: asyncpg.Connection, consumer: AIOKafkaConsumer, bootstrap_servers: str, topic: str
) -> list[Published]:
    """Put into the registry what only the topic has, and on the topic what it had; gives what the registry lacked.

    Without the versions published since a backup their facts would come out otherwise.

    Raises:
        ConfigurationError: the two have different documents under one version.
        KafkaError, asyncpg.PostgresError, OSError, TimeoutError: not all is done; begin again.
    """
    told = await _told(consumer, topic)
    restored = await registry.restore(session, told)
    await _give_again(bootstrap_servers, topic, await registry.lost(session, told))
    return restored


async def _told(consumer: AIOKafkaConsumer, topic: str) -> list[bytes]:
    """All of the programs topic."""
    partition = TopicPartition(topic, 0)
    (end,) = (await consumer.end_offsets([partition])).values()
    (begin,) = (await consumer.beginning_offsets([partition])).values()
    consumer.assign([partition])
    consumer.seek(partition, begin)
    records: list[ConsumerRecord] = []
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        while await consumer.position(partition) < end:
            records += (await consumer.getmany(partition, timeout_ms=POLL_MS)).get(partition, ())
    return [record.value for record in records]


async def _give_again(bootstrap_servers: str, topic: str, versions: Sequence[Published]) -> None:
    """Publish versions as they were published; two processes that do so add copies, which readers bear."""
    if not versions:
        return
    names = [f"{one.program} {one.version}" for one in versions]
    log.warning("the programs topic lacks what was published: publishing again", versions=names)
    publisher = producer(bootstrap_servers, "tallystick-programs")
    try:
        await publisher.start()
        await publish(publisher, topic, {0: [Outgoing(*registry.record(one)) for one in versions]})
    finally:
        await publisher.stop()
