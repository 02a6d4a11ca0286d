"""A look at logs: what is noted of them, and what reading them back finds meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

import asyncpg

from services.earning.relay.log_end import LogEnd, log_ends
from services.earning.tasks.leases import QUERIES


class Noted(NamedTuple):
    """What Postgres has of a shard: how far it is published, how far its log was found whole, and to which offset."""

    shard: int
    emitted: int
    whole_to: int
    looked_to: int


class LogCheck:
    """Reads the ends of logs beside whatever else is done; `noted` is what was known when it began."""

    def __init__(self, noted: list[Noted], reading: asyncio.Task[dict[int, LogEnd]]) -> None:
        self.noted = noted
        self._reading = reading

    @classmethod
    async def begin(
        cls, session: asyncpg.Connection, bootstrap_servers: str, topic: str, shards: Iterable[int]
    ) -> LogCheck:
        """Begin to find out how far logs are.

        All that came since a relay looked last is read: where records lie tells nothing once others have written as
        many as were lost. A log that ends with copies of older records tells less than it holds: then some are copied
        once more, which readers bear.
        """
        noted = [Noted(*row) for row in await session.fetch(QUERIES["emitted"], sorted(shards))]
        known = {one.shard: min(one.emitted, one.whole_to) for one in noted}
        near = {one.shard: one.looked_to - 1 for one in noted}
        return cls(noted, asyncio.ensure_future(log_ends(bootstrap_servers, topic, known, near)))

    @property
    def is_over(self) -> bool:
        """Whether `ends` needn't be waited for."""
        return self._reading.done()

    async def ends(self) -> dict[int, LogEnd]:
        """How far each log is whole.

        Raises:
            KafkaError, OSError, TimeoutError: Kafka failed, or didn't answer in time.
        """
        return await self._reading

    def give_up(self) -> None:
        """Let it end, whatever has come of it: nobody will ask."""
        self._reading.cancel()
        self._reading.add_done_callback(lambda reading: reading.cancelled() or reading.exception())
