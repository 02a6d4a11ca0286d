"""The log check: does the log still hold what was published? It is read back to be sure, for Kafka can lose records.

It is asked of shards newly leased, now and then of all beside the publishing, and after each publication whose records
don't lie where they should.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import asyncpg

from services.earning.ledger.emissions import RecordedProgress, record_check, record_emitted, recorded
from services.earning.ledger.journal import Entry
from services.earning.replay.log_end import LogEnd, log_ends
from services.earning.replay.recover import compare
from shared.broker import Written

CHECK_LOG_EVERY_S = 15.0
"""How often a relay without news looks whether its logs still end where it left them."""


class Finding(NamedTuple):
    """What was found of logs, by shard: up to which position each is whole, and which is the last before what it lost.

    Only those that have lost something are among `lost_after`.
    """

    whole_to: Mapping[int, int]
    lost_after: Mapping[int, int]


class _Reading(NamedTuple):
    """Logs being read back, and what was recorded of them before."""

    recorded: list[RecordedProgress]
    ends: asyncio.Task[dict[int, LogEnd]]


class LogCheck:
    """What one relay knows of its logs, and the reading that goes on beside its publishing."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._next_offsets: dict[int, int] = {}
        self._reading: _Reading | None = None
        self._check_log_at = 0.0

    async def check(self, session: asyncpg.Connection, shards: Collection[int]) -> Finding:
        """Read the logs of shards back, and wait for it.

        Raises:
            ForkError: a log holds another event than the journal.
            KafkaError, asyncpg.PostgresError, OSError, TimeoutError: nothing is known.
        """
        reading = await self._begin(session, shards)
        return await self._judge(session, reading.recorded, await reading.ends)

    async def begin_when_due(self, session: asyncpg.Connection, shards: Collection[int]) -> None:
        """Now and then begin to read the logs of shards back; publishing goes on meanwhile.

        After a great deal of news that takes a second or two.

        Raises:
            asyncpg.PostgresError, OSError: it is not begun.
        """
        now = asyncio.get_running_loop().time()
        if self._reading is None and now >= self._check_log_at:
            self._check_log_at = now + CHECK_LOG_EVERY_S
            self._reading = await self._begin(session, shards)

    async def take_finding(self, session: asyncpg.Connection, mine: Collection[int]) -> Finding | None:
        """What the reading beside has found, once it is over, as far as it is still about shards of mine.

        Raises:
            ForkError: a log holds another event than the journal.
            KafkaError, asyncpg.PostgresError, OSError, TimeoutError: nothing is known.
        """
        if self._reading is None or not self._reading.ends.done():
            return None
        reading, self._reading = self._reading, None
        ends = {shard: end for shard, end in (await reading.ends).items() if shard in mine}
        return await self._judge(session, [one for one in reading.recorded if one.shard in ends], ends)

    async def check_published(
        self, session: asyncpg.Connection, published: Mapping[int, Sequence[Entry]], written: Mapping[int, Written]
    ) -> dict[int, int]:
        """Look at the logs of those whose records don't lie right after our last, or each other.

        Then somebody else wrote there, or some were lost; gives the last position before a hole, for each shard that
        has one.

        Raises:
            ForkError: a log holds another event than the journal.
            KafkaError, asyncpg.PostgresError, OSError, TimeoutError: nothing is known.
        """
        rows = {
            shard: published[shard]
            for shard, at in written.items()
            if at.first != self._next_offsets.get(shard) or at.next - at.first != len(published[shard])
        }
        self._next_offsets.update({shard: at.next for shard, at in written.items()})
        if not rows:
            return {}
        known = {shard: those[0].position - 1 for shard, those in rows.items()}
        ends = await log_ends(self._bootstrap_servers, self._topic, known)
        await compare(session, ends)
        return {shard: end.position for shard, end in ends.items() if end.position < rows[shard][-1].position}

    def give_up(self) -> None:
        """Let a reading end, whatever has come of it: nobody will ask."""
        if self._reading is not None:
            self._reading.ends.cancel()
            self._reading.ends.add_done_callback(lambda ends: ends.cancelled() or ends.exception())
            self._reading = None

    async def _begin(self, session: asyncpg.Connection, shards: Collection[int]) -> _Reading:
        """Begin to find out how far logs are.

        All that came since a relay looked last is read: where records lie tells nothing once others have written as
        many as were lost. A log that ends with copies of older records tells less than it holds: then some are copied
        once more, which readers bear.
        """
        before = await recorded(session, shards)
        known = {one.shard: min(one.emitted, one.whole_to) for one in before}
        near = {one.shard: one.looked_to - 1 for one in before}
        return _Reading(before, asyncio.ensure_future(log_ends(self._bootstrap_servers, self._topic, known, near)))

    async def _judge(
        self, session: asyncpg.Connection, before: Sequence[RecordedProgress], ends: Mapping[int, LogEnd]
    ) -> Finding:
        """Record how far logs are whole; those that end before what was recorded as published have lost it.

        What is published while a log is read lies after its end, and is known to its relay alone.
        """
        await compare(session, ends)
        whole_to = {shard: end.position for shard, end in ends.items()}
        if whole_to:
            await record_emitted(session, whole_to)
            await record_check(session, ((one, ends[one.shard].position, ends[one.shard].offset) for one in before))
        for shard, end in ends.items():
            self._next_offsets[shard] = max(end.offset, self._next_offsets.get(shard, 0))
        return Finding(
            whole_to, {one.shard: whole_to[one.shard] for one in before if whole_to[one.shard] < one.emitted}
        )
