"""Kafka, simulated: logs, and the group coordinator that shares partitions out to the members it knows to be alive."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError

from tests.support.simulation.faults import Fates
from tests.support.simulation.loop import Host, Loop

SESSION_TIMEOUT_S = 10.0
REBALANCE_TIMEOUT_S = 10.0
GAPS = 0.1
"""How often offsets are left out before a record, as transactions and compaction leave them out."""

Header = tuple[str, bytes | None]


class Log:
    """One partition's records. Offsets grow, and may have gaps."""

    def __init__(self, where: TopicPartition) -> None:
        self.where = where
        self.start = 0
        self.end = 0
        self.records: list[ConsumerRecord[bytes, bytes]] = []
        self._offsets: list[int] = []
        self.readers: dict[int, Callable[[], None]] = {}

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header] = (),
        *,
        timestamp_ms: int,
        gap: int = 0,
    ) -> int:
        """Add a record after leaving out `gap` offsets; gives its offset."""
        offset = self.end + gap
        record: ConsumerRecord[bytes, bytes] = ConsumerRecord(
            *self.where, offset, timestamp_ms, 0, key, value, None, len(key or b""), len(value or b""), tuple(headers)
        )
        self.records.append(record)
        self._offsets.append(offset)
        self.end = offset + 1
        readers, self.readers = self.readers, {}
        for wake in readers.values():
            wake()
        return offset

    def read(self, offset: int, at_most: int) -> list[ConsumerRecord[bytes, bytes]]:
        """Records from an offset on."""
        first = bisect_left(self._offsets, offset)
        return self.records[first : first + at_most]

    def lose(self, records: int) -> None:
        """Forget the last so many records, as a broker does that comes back without them."""
        if records:
            del self.records[-records:], self._offsets[-records:]
            self.end = self._offsets[-1] + 1 if self._offsets else self.start


class Member(Protocol):
    """A member of a group."""

    name: str
    host: Host
    subscribed: tuple[str, ...]

    def leave_and_rejoin(self, generation: int) -> None:
        """Give up all partitions, and join the generation that begins."""

    def given(self, generation: int, partitions: tuple[TopicPartition, ...]) -> None:
        """Hear which partitions are yours."""


class Group:
    """A consumer group: eager rebalances, shared out by range, as the services ask for it."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._members: dict[str, Member] = {}
        self._joined: set[str] = set()
        self.generation = 0
        self.committed: dict[TopicPartition, int] = {}

    def has(self, member: Member, generation: int) -> bool:
        """Whether a member belongs to the present generation."""
        return self.knows(member) and generation == self.generation

    def knows(self, member: Member) -> bool:
        """Whether a member was not given up."""
        return self._members.get(member.name) is member

    def join(self, member: Member) -> None:
        """Come in. One of the same name is replaced: it was the same worker before it was started again."""
        self._members[member.name] = member
        self._begin()

    def leave(self, member: Member) -> None:
        """Go, or be gone."""
        if self.knows(member):
            del self._members[member.name]
            self._begin()

    def _begin(self) -> None:
        self.generation += 1
        self._joined = set()
        for member in self._members.values():
            self._broker.tell(member.host, member.leave_and_rejoin, self.generation)
        self._broker.loop.later(REBALANCE_TIMEOUT_S, self._close, self.generation)

    def rejoined(self, member: Member, generation: int) -> None:
        """A member is ready for the generation that begins; one that was thought dead begins a new one."""
        if not self.knows(member):
            self.join(member)
        elif generation == self.generation:
            self._joined.add(member.name)
            if len(self._joined) == len(self._members):
                self._share_out()

    def _close(self, generation: int) -> None:
        if generation == self.generation and len(self._joined) < len(self._members):
            late = [member for name, member in self._members.items() if name not in self._joined]
            for member in late:
                del self._members[member.name]
            self._begin()

    def _share_out(self) -> None:
        members = [self._members[name] for name in sorted(self._members)]
        shares: dict[str, list[TopicPartition]] = {member.name: [] for member in members}
        for topic in sorted({topic for member in members for topic in member.subscribed}):
            number = self._broker.partitions(topic)
            each, more = divmod(number, len(members))
            first = 0
            for at, member in enumerate(members):
                size = each + (1 if at < more else 0)
                shares[member.name] += [TopicPartition(topic, p) for p in range(first, first + size)]
                first += size
        for member in members:
            self._broker.tell(member.host, member.given, self.generation, tuple(shares[member.name]))


class Broker:
    """The cluster: its logs and groups."""

    def __init__(self, loop: Loop, fates: Fates, now_ms: Callable[[], int]) -> None:
        self.loop = loop
        self.fates = fates
        self.now_ms = now_ms
        self.up = True
        self.logs: dict[TopicPartition, Log] = {}
        self.consumers: list[Any] = []
        self._sizes: dict[str, int] = {}
        self._groups: dict[str, Group] = {}

    def create(self, topic: str, partitions: int) -> None:
        """Make a topic."""
        self._sizes[topic] = partitions
        for number in range(partitions):
            where = TopicPartition(topic, number)
            self.logs[where] = Log(where)

    def partitions(self, topic: str) -> int:
        """How many a topic has; 0: there is none of that name."""
        return self._sizes.get(topic, 0)

    def log(self, where: TopicPartition) -> Log:
        """A partition's log.

        Raises:
            KafkaConnectionError: the broker is down.
        """
        self.answer()
        return self.logs[where]

    def answer(self) -> None:
        """Answer a request.

        Raises:
            KafkaConnectionError: the broker is down.
        """
        if not self.up:
            msg = "the broker is down"
            raise KafkaConnectionError(msg)

    def group(self, name: str) -> Group:
        """A group; a new one where nobody has joined yet."""
        if name not in self._groups:
            self._groups[name] = Group(self)
        return self._groups[name]

    def append(
        self, where: TopicPartition, *what: Any, timestamp_ms: int | None = None, with_gaps: bool = False
    ) -> int:
        """Add a record; gives its offset. Before those of publishers with transactions some offsets are left out."""
        gap = self.fates.chance.randint(1, 2) if with_gaps and self.fates.happens(GAPS) else 0
        stamp = self.now_ms() if timestamp_ms is None else timestamp_ms
        return self.logs[where].append(*what, timestamp_ms=stamp, gap=gap)

    def tell(self, host: Host, callback: Callable[..., None], *arguments: Any) -> None:
        """Send word to a host; it hears when it is awake."""
        self.loop.call_later(self.fates.latency_s(), callback, *arguments, context=host.context())

    def watch(self, member: Member, group: Group) -> None:
        """Notice by its silence when a member's host stands still or dies."""

        def silent() -> None:
            host = member.host
            if host.dead or host.paused:
                self.loop.later(SESSION_TIMEOUT_S, gone, host.changes)
            elif not group.knows(member):
                self.tell(host, member.leave_and_rejoin, group.generation)

        def gone(changes: int) -> None:
            if member.host.changes == changes and (member.host.dead or member.host.paused):
                group.leave(member)

        member.host.watchers.append(silent)
