"""Emit dead letters: the relay of their table to their topic, at least once.

Apart from that of point events, which must not wait for a record that the dead-letter topic refuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from services.earning.ledger.dead_letters import record_relayed, to_relay
from services.earning.relay.emit import publishing
from services.earning.settings import EarningSettings
from services.earning.tasks.leases import Leases
from services.earning.tasks.retry import OnProgress
from shared.broker import Outgoing, publish
from shared.dead_letters import DeadLetter
from shared.settings import Connections
from shared.waiting import wait_for_event

log = structlog.get_logger(__name__)

AT_A_TIME = 200
LOOK_EVERY_S = 0.5


class DeadLetterRelay:
    """Publishes dead letters, one process at a time."""

    def __init__(
        self, connections: Connections, topic: str, settings: EarningSettings, stopping: asyncio.Event
    ) -> None:
        self._connections = connections
        self._topic = topic
        self._settings = settings
        self._stopping = stopping

    async def attempt(self, on_progress: OnProgress) -> None:
        """Relay until told to stop.

        Raises:
            KafkaError, asyncpg.PostgresError, OSError, TimeoutError: begin again later.
        """
        leases = Leases("dead_letters", [0], self._settings.owner, self._settings.lease_s)
        async with publishing(self._connections, "tallystick-dead-letters") as (session, publisher):
            while not self._stopping.is_set():
                if leases.due:
                    await leases.renew(session)
                letters = await to_relay(session, AT_A_TIME) if leases.mine else []
                if letters:
                    await self._publish(session, publisher, letters)
                on_progress()
                if len(letters) < AT_A_TIME:
                    await wait_for_event(self._stopping, LOOK_EVERY_S)
            await leases.release(session)

    async def _publish(
        self, session: asyncpg.Connection, publisher: AIOKafkaProducer, letters: Sequence[tuple[DeadLetter, int]]
    ) -> None:
        partitions = len(await publisher.partitions_for(self._topic))
        records: dict[int, list[Outgoing]] = {}
        for letter, _ in letters:
            records.setdefault(letter.partition % partitions, []).append(letter.to_record())
        try:
            await publish(publisher, self._topic, records)
        except MessageSizeTooLargeError:
            for letter, _ in letters:
                await self._send(publisher, letter, letter.partition % partitions)
        await record_relayed(session, letters)

    async def _send(self, publisher: AIOKafkaProducer, letter: DeadLetter, partition: int) -> None:
        record = letter.to_record()
        try:
            await publish(publisher, self._topic, {partition: [record]})
        except MessageSizeTooLargeError:
            # The table has it whole; the topic gets all but the bytes that it refuses.
            log.warning("dead letter too large for its topic", topic=letter.topic, offset=letter.offset)
            await publish(publisher, self._topic, {partition: [_without_value(record)]})


def _without_value(record: Outgoing) -> Outgoing:
    return record._replace(value=b"", headers=[*record.headers, ("dead-letter-value", b"left out: too large")])
