"""Aiokafka's consumer, simulated: what the services use of it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalStateError,
    KafkaConnectionError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import OffsetAndTimestamp

from tests.support.simulation.faults import Fates
from tests.support.simulation.kafka import Broker, Group
from tests.support.simulation.loop import loop
from tests.support.simulation.wire import Client, come_true, pass_by

WAIT_S = 15.0
"""How long at most until somebody who waits looks again by himself."""

Found = dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]]


class Fetching(Enum):
    """What the task does that brings records."""

    WORKS = "works"
    ENDED = "ended"
    HANGS = "hangs"


class Consumer(Client):
    """aiokafka's consumer: in a group, or with partitions that it was told to take."""

    def __init__(
        self, broker: Broker, fates: Fates, *, topics: Sequence[str] = (), group: str | None = None, **settings: Any
    ) -> None:
        super().__init__(broker, fates)
        self.subscribed = tuple(topics)
        self._group: Group | None = None if group is None else broker.group(group)
        self._listener: Any = settings.get("listener")
        self.name = str(settings.get("group_instance_id") or f"member-{loop().number():06}")
        self._generation = 0
        self._rejoining = False
        self._positions: dict[TopicPartition, int | None] = {}
        self._paused: set[TopicPartition] = set()
        self._without_offset: set[TopicPartition] = set()
        self._number = loop().number()
        self._waiting: list[asyncio.Future[None]] = []
        self.fetching = Fetching.WORKS

    @property
    def is_answered(self) -> bool:
        """Whether its group has given it partitions."""
        return not self._rejoining

    def behind(self) -> dict[TopicPartition, int]:
        """The positions of partitions that should be fetched; one that works has all there is at hand."""
        known = {one: at for one, at in self._positions.items() if at is not None and one not in self._paused}
        return {} if self.fetching is Fetching.WORKS else known

    async def start(self) -> None:
        """Connect, and join the group."""
        await self._ask()
        self._broker.consumers.append(self)
        if self._group is not None:
            self._broker.watch(self, self._group)
            self._group.join(self)
            self._rejoining = True

    async def stop(self) -> None:
        """Leave the group, and disconnect."""
        if self._group is not None and not self._closed:
            self._group.leave(self)
        if self in self._broker.consumers:
            self._broker.consumers.remove(self)
        await super().stop()
        self._wake()

    # the group

    def leave_and_rejoin(self, generation: int) -> None:
        """Give up all partitions, and join the generation that begins."""
        if not self._closed:
            loop().create_task(self._rejoin(generation))

    async def _rejoin(self, generation: int) -> None:
        if self._group is None or (generation <= self._generation and self._group.knows(self)):
            return
        self._generation = generation
        self._rejoining = True
        await self._listen("on_partitions_revoked")
        self._positions, self._paused = {}, set()
        await pass_by(self._fates.latency_s())
        if not self._closed:
            self._group.rejoined(self, generation)

    def given(self, generation: int, partitions: tuple[TopicPartition, ...]) -> None:
        """Hear which partitions are ours."""
        if generation == self._generation and not self._closed:
            loop().create_task(self._take(partitions))

    async def _take(self, partitions: tuple[TopicPartition, ...]) -> None:
        self._positions = dict.fromkeys(partitions)
        self._without_offset = set()
        await self._listen("on_partitions_assigned")
        self._rejoining = False
        self._wake()
        await pass_by(self._fates.latency_s())
        for one in partitions:
            if one in self._positions and self._positions[one] is None and self._group is not None:
                committed = self._group.committed.get(one)
                if committed is None:
                    self._without_offset.add(one)
                else:
                    self._positions[one] = committed
        self._wake()

    async def _listen(self, method: str) -> None:
        answer = getattr(self._listener, method)(set(self._positions))
        if inspect.isawaitable(answer):
            await answer

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Take these partitions."""
        self._positions = dict.fromkeys(partitions)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Leave positions with the group."""
        self._assigned(*offsets)
        await self._ask()
        if self._group is None or not self._group.has(self, self._generation):
            raise CommitFailedError
        self._group.committed.update(offsets)

    # positions

    def _assigned(self, *partitions: TopicPartition) -> None:
        for one in partitions:
            if one not in self._positions:
                msg = f"No current assignment for partition {one}"
                raise IllegalStateError(msg)

    def pause(self, *partitions: TopicPartition) -> None:
        """Fetch nothing of them."""
        self._assigned(*partitions)
        self._paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        """Fetch from them again."""
        self._assigned(*partitions)
        self._paused.difference_update(partitions)
        self._wake()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go on from an offset."""
        self._assigned(partition)
        self._positions[partition] = offset
        self._without_offset.discard(partition)
        self._wake()

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        """Go on from the log's beginning."""
        await self._ask()
        self._assigned(*partitions)
        while self.fetching is not Fetching.WORKS:
            await self._hear(WAIT_S)
        for one in partitions:
            self.seek(one, self._broker.log(one).start)

    async def position(self, partition: TopicPartition) -> int:
        """The offset that is fetched next."""
        while True:
            if partition not in self._positions:
                msg = f"Partition {partition} is not assigned"
                raise IllegalStateError(msg)
            position = self._positions[partition]
            if position is not None:
                return position
            await self._hear(WAIT_S)

    def highwater(self, partition: TopicPartition) -> int | None:
        """Where the log ends, as the last fetch has told."""
        self._assigned(partition)
        return self._broker.log(partition).end

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Where logs end."""
        await self._ask()
        return {one: self._broker.log(one).end for one in partitions}

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Where logs begin."""
        await self._ask()
        return {one: self._broker.log(one).start for one in partitions}

    async def offsets_for_times(
        self, times_ms: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        """The first record of each partition that is not older; None: there is none."""
        await self._ask()
        found: dict[TopicPartition, OffsetAndTimestamp | None] = {}
        for one, since in times_ms.items():
            young = (record for record in self._broker.log(one).records if record.timestamp >= since)
            first = next(young, None)
            found[one] = None if first is None else OffsetAndTimestamp(first.offset, first.timestamp)
        return found

    async def topics(self) -> set[str]:
        """Ask which topics there are."""
        await self._ask()
        return set(self.subscribed)

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """The numbers of a topic's partitions."""
        return set(range(self._broker.partitions(topic))) or None

    # records

    async def getmany(self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None) -> Found:
        """The next records of these partitions; waits for the first of them."""
        if self._closed:
            raise ConsumerStoppedError
        await self._ask_kindly()
        until = loop().time() + timeout_ms / 1000
        while True:
            while self._rejoining and not self._closed:
                await self._hear(WAIT_S)
            found = self._next(partitions, max_records or 500)
            left = until - loop().time()
            if found or left <= 0 or self._closed:
                return found
            await self._hear(left)

    async def _ask_kindly(self) -> None:
        try:
            await self._ask()
        except KafkaConnectionError:
            return  # the fetcher tries again behind our back

    def _next(self, partitions: Sequence[TopicPartition], at_most: int) -> Found:
        found: Found = {}
        if not self._broker.up or self.fetching is not Fetching.WORKS:
            return found
        wanted = [one for one in partitions or self._positions if one in self._positions and one not in self._paused]
        self._fates.chance.shuffle(wanted)
        for one in wanted:
            position = self._positions[one]
            if position is None:
                if one in self._without_offset and not found:
                    raise NoOffsetForPartitionError(one)
                continue
            log = self._broker.logs[one]
            if not log.start <= position <= log.end:
                if found:
                    return found
                raise OffsetOutOfRangeError({one: position})
            records = log.read(position, at_most)
            if records:
                found[one] = records
                self._positions[one] = records[-1].offset + 1
                at_most -= len(records)
                if not at_most:
                    break
        return found

    async def _hear(self, seconds: float) -> None:
        """Wait until there may be something new, or for so long."""
        news: asyncio.Future[None] = loop().create_future()
        self._waiting.append(news)
        timer = loop().call_later(seconds, come_true, news)
        for one in self._positions:
            if one not in self._paused:
                self._broker.logs[one].readers[self._number] = self._news_come
        try:
            await news
        finally:
            timer.cancel()

    def _news_come(self) -> None:
        """A log grew: word of it takes a while."""
        if self._waiting and not self.host.dead:
            self._broker.tell(self.host, self._wake)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for news in waiting:
            come_true(news)
