"""Emit programs: versions that their topic had and has lost are published again, out of the registry.

A database that comes back from a backup learns its newest programs from that topic: it must not lack any.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from services.earning.program.registry import Published, record
from shared.broker import Outgoing, producer, publish

log = structlog.get_logger(__name__)


async def give_again(bootstrap_servers: str, topic: str, versions: Sequence[Published]) -> None:
    """Publish versions as they were published; two processes that do so add copies, which readers bear.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka fails; some may be in the topic.
    """
    if not versions:
        return
    names = [f"{one.program} {one.version}" for one in versions]
    log.warning("the programs topic lacks what was published: publishing again", versions=names)
    publisher = producer(bootstrap_servers, "tallystick-programs")
    try:
        await publisher.start()
        await publish(publisher, topic, {0: [Outgoing(*record(one)) for one in versions]})
    finally:
        await publisher.stop()
