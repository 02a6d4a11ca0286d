"""Recover: what the log tells and the journal has not, since Postgres came back from a backup, is replayed.

It happens before anything is decided or published by the restored database: otherwise positions that the world has seen
would be given again, with other content. Each decision of the log is made again on the tables as they were restored,
and must come out byte for byte; so each transaction leaves journal, standings, rows and lots as they had been. Fences
stay where the backup has them: the facts since then are read again, and found to be decided.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from services.earning.installation import Database, database_of
from services.earning.ledger.emissions import record_emitted
from services.earning.ledger.journal import Head, bytes_at
from services.earning.ledger.transaction import heads, transaction
from services.earning.program import registry
from services.earning.program.registry import ProgramCache, Published
from services.earning.replay.decisions import (
    LoggedEvent,
    Progress,
    decision_of,
    decisions,
    keys_of,
    logged_event,
    replay,
)
from services.earning.replay.log_end import LogEnd, highest
from shared.broker import Outgoing, producer, publish, reading
from shared.codec import chain_of, place_of
from shared.errors import ConfigurationError, ForkError, PermanentError, UnreadableEventError
from shared.postgres import connect
from shared.settings import Connections
from shared.topics import Topics

log = structlog.get_logger(__name__)

EVENTS_A_TRANSACTION = 500
POLL_MS = 500
ANSWER_TIMEOUT_S = 10.0
"""How long Kafka may take for the next records before we begin again."""


class Recovered(NamedTuple):
    """Which database was brought level with the log, and what it lacked: events, and versions of programs."""

    database: Database
    events: int
    programs: list[str]


def _say(replayed: int, missing: int) -> None:
    log.warning("the journal lacks what the log has: replaying it", replayed=replayed, missing=missing)


class MissingRange(NamedTuple):
    """A shard whose log has more than its journal: the journal's last position, and the log's end."""

    shard: int
    position: int
    end: LogEnd

    @property
    def missing(self) -> int:
        """How many events the journal lacks."""
        return self.end.position - self.position


class Recovery:
    """Sees to it, once for each start of the database server, that the journal has all that the log has.

    A database can go back only by taking the place of another one: every session that was there before has ended then.
    So whoever has a new session asks here before working with it.
    """

    def __init__(self, connections: Connections, topics: Topics) -> None:
        self._connections = connections
        self._topics = topics
        self._known: Database | None = None
        self._one_at_a_time = asyncio.Lock()

    async def ensure_level(self, session: asyncpg.Connection) -> None:
        """Come back when the journal of the database behind this session is level with the log.

        Raises:
            ForkError, ConfigurationError, UnreadableEventError: it can't become so; nobody may work with it.
            KafkaError, asyncpg.PostgresError, OSError, TimeoutError: not now; try again.
        """
        async with self._one_at_a_time:
            database = await database_of(session)
            if database != self._known:
                recovered = await recover(self._connections, self._topics, progress=_say)
                self._known = recovered.database
                if recovered.programs:
                    log.warning("programs restored from their topic", versions=recovered.programs)


async def recover(
    connections: Connections, topics: Topics, *, take_over: bool = False, progress: Progress = lambda _done, _all: None
) -> Recovered:
    """Bring journal, state and programs level with the log.

    A database that knows nothing of a log that has events belongs to another installation, unless we are told to
    `take_over` that log: then all of it is replayed.

    Raises:
        ForkError: journal and log hold different events at one position.
        ConfigurationError: the log is another installation's.
        UnreadableEventError: the log lacks a position, or an event of it comes out otherwise when decided again.
        KafkaError, asyncpg.PostgresError, OSError, TimeoutError: what was replayed so far stays; begin again.
    """
    servers = connections.kafka_bootstrap_servers
    session = await connect(connections.postgres_dsn, role="earning", application="tallystick-earning-recover")
    try:
        database = await database_of(session)
        async with reading(servers) as consumer:
            ends = await highest(consumer, topics.points, await heads(session))
            # After the log: what another process decides and publishes meanwhile is no sign of a lost journal.
            known = await heads(session)
            if not take_over:
                _refuse_foreign(topics.points, known, ends)
            await compare(session, {shard: end for shard, end in ends.items() if end.position <= known[shard].position})
            programs = await level_programs(session, consumer, servers, topics.programs)
            ahead = [MissingRange(shard, head.position, ends[shard]) for shard, head in known.items()]
            missing = [each for each in ahead if each.missing > 0]
            replaying = _Replaying(session, len(known), sum(each.missing for each in missing), progress)
            for each in missing:
                await replaying.replay_missing(each.shard, _missing(consumer, topics.points, each))
    finally:
        session.terminate()
    return Recovered(database, replaying.replayed, [f"{one.program} {one.version}" for one in programs])


def _refuse_foreign(topic: str, heads: Mapping[int, Head], ends: Mapping[int, LogEnd]) -> None:
    """A journal without a row says nothing of whose log this is."""
    if any(head.position for head in heads.values()) or not any(end.position for end in ends.values()):
        return
    raise ConfigurationError(
        f"{topic} has point events, and this database has decided none of them.",
        cure="If it takes the place of one that is lost, run `tallystick rebuild --journal`; else name another topic.",
    )


async def level_programs(
    session: asyncpg.Connection, consumer: AIOKafkaConsumer, bootstrap_servers: str, topic: str
) -> list[Published]:
    """Put into the registry what only the topic has, and on the topic what it had; gives what the registry lacked.

    Without the versions published since a backup their facts would come out otherwise.

    Raises:
        ConfigurationError: the two have different documents under one version.
        KafkaError, asyncpg.PostgresError, OSError, TimeoutError: not all is done; begin again.
    """
    told = await _told_programs(consumer, topic)
    restored = await registry.restore(session, told)
    await _give_again(bootstrap_servers, topic, await registry.lost(session, told))
    return restored


async def _told_programs(consumer: AIOKafkaConsumer, topic: str) -> list[bytes]:
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


async def compare(session: asyncpg.Connection, ends: Mapping[int, LogEnd]) -> None:
    """Where logs end, the journal must have the very event that they have there.

    Raises:
        ForkError: it has another one, or none.
    """
    told = {shard: end for shard, end in ends.items() if end.position}
    found = await bytes_at(session, {shard: end.position for shard, end in told.items()})
    for shard, end in told.items():
        if shard not in found or chain_of(found[shard]) != end.chain:
            raise _fork(shard, end.position)


def _fork(shard: int, position: int) -> ForkError:
    """Journal and log have parted at a position."""
    return ForkError(shard, position, f"Shard {shard}: the log holds another event than the journal at {position}.")


async def _missing(consumer: AIOKafkaConsumer, topic: str, behind: MissingRange) -> AsyncIterator[LoggedEvent]:
    """Each position that the journal lacks, once and in order.

    A position's first copy lies at its own offset or later, unless the log had a hole once: then it lies before, and a
    second look from the beginning finds it.
    """
    partition = TopicPartition(topic, behind.shard)
    (begin,) = (await consumer.beginning_offsets([partition])).values()
    consumer.assign([partition])
    position = behind.position
    for start in (max(begin, position), begin):
        consumer.seek(partition, start)
        while position < behind.end.position and await consumer.position(partition) < behind.end.offset:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                fetched = await consumer.getmany(partition, timeout_ms=POLL_MS)
            for record in fetched.get(partition, ()):
                event = _next(record, behind.shard, position + 1)
                if event is not None:
                    position += 1
                    yield event
    if position < behind.end.position:
        message = f"the log has {behind.end.position}, and lacks this"
        raise UnreadableEventError(behind.shard, position + 1, message)


def _next(record: ConsumerRecord, shard: int, position: int) -> LoggedEvent | None:
    """The event of a record, if it is the one at this position."""
    try:
        place = place_of(record.headers)
    except PermanentError:
        return None
    return logged_event(shard, position, place.type, record.value or b"") if place.position == position else None


@dataclass
class _Replaying:
    """Replays shards' events from the log, some decisions a transaction."""

    session: asyncpg.Connection
    shards: int
    missing: int
    progress: Progress
    programs: ProgramCache = field(default_factory=ProgramCache)
    replayed: int = 0

    async def replay_missing(self, shard: int, events: AsyncIterator[LoggedEvent]) -> None:
        """Replay what a shard lacks."""
        waiting: list[LoggedEvent] = []
        async for event in events:
            if len(waiting) >= EVENTS_A_TRANSACTION and decision_of(event) != decision_of(waiting[-1]):
                await self._replay(shard, waiting)
                waiting = []
            waiting.append(event)
        await self._replay(shard, waiting)

    async def _replay(self, shard: int, events: Sequence[LoggedEvent]) -> None:
        """Decide events again, behind those that the shard has, and commit."""
        session = self.session
        async with transaction(session, self.shards, [shard]) as ledger:
            head = ledger.journal.heads[shard]
            # Another process may have replayed some of it meanwhile.
            made = list(decisions(event for event in events if event.data.position > head.position))
            if made and made[0][0].data.chain != head.chain:
                raise _fork(shard, head.position)
            for group in made:
                ledger.member(group[0].data.program, group[0].data.member)
            await ledger.rows.load({key for group in made for key in keys_of(group)})
            versions = await self.programs.load(session, ledger.programs)
            for group in made:
                _same(group, await replay(ledger, versions, group), last=group is made[-1])
            if made:
                await ledger.save()
                # It is in the log: that is where it comes from.
                await record_emitted(session, {shard: events[-1].data.position})
        self.replayed += len(events)
        self.progress(self.replayed, self.missing)


def _same(events: Sequence[LoggedEvent], come_out: list[bytes], *, last: bool) -> None:
    """What comes out is what the log has. The log may end within the last decision: then all of it is kept."""
    if last:
        come_out = come_out[: len(events)]
    if come_out != [event.bytes for event in events]:
        data = events[0].data
        raise UnreadableEventError(data.shard, data.position, f"{data.program}/{data.member} comes out otherwise")
