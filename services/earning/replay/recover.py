"""Recover: what the log tells and the journal has not, since Postgres came back from a backup, is learnt from the log.

It happens before anything is decided or published by the restored database: otherwise positions that the world has seen
would be given again, with other content. Each decision of the log is made again on the tables as they were restored,
and must come out byte for byte; so each transaction leaves journal, standings, rows and lots as they had been. Fences
stay where the backup has them: the facts since then are read again, and found to be decided.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from services.earning.decide import Decision
from services.earning.ledger import journal
from services.earning.ledger.journal import Entry, Head, Journal
from services.earning.ledger.load import NONE_ASKED, LoadedMember, WorkingSet, load, supply
from services.earning.ledger.load import QUERIES as EARN
from services.earning.ledger.save import save
from services.earning.program import registry
from services.earning.relay.log_end import LogEnd, highest
from services.earning.relay.programs import give_again
from services.earning.replay.decisions import (
    LoggedEvent,
    Replay,
    decision_of,
    decisions,
    keys_of,
    logged_event,
    replay_of,
)
from services.earning.state.standing import RowsMissingError
from services.earning.tasks.leases import QUERIES as EMIT
from shared.broker import reading
from shared.codec import chain_of, place_of
from shared.errors import ConfigurationError, ForkError, PermanentError, UnreadableEventError
from shared.postgres import Queries, connect
from shared.settings import Connections
from shared.topics import Topics

log = structlog.get_logger(__name__)

QUERIES = Queries(Path(__file__).parents[1] / "sql" / "recover.sql")

EVENTS_A_TRANSACTION = 500
POLL_MS = 500
ANSWER_TIMEOUT_S = 10.0
"""How long Kafka may take for the next records before we begin again."""

Database = tuple[int, datetime]
"""Which database, and since when its server runs."""

Progress = Callable[[int, int], None]
"""Told how many events are learnt, and of how many."""


class Recovered(NamedTuple):
    """Which database was brought level with the log, and what it has learnt: events, and versions of programs."""

    database: Database
    events: int
    programs: list[str]


def _say(learnt: int, missing: int) -> None:
    log.warning("the journal lacks what the log has: learning it", learnt=learnt, missing=missing)


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

    async def see_to(self, session: asyncpg.Connection) -> None:
        """Come back when the journal of the database behind this session is level with the log.

        Raises:
            ForkError, ConfigurationError, UnreadableEventError: it can't become so; nobody may work with it.
            KafkaError, asyncpg.PostgresError, OSError, TimeoutError: not now; try again.
        """
        async with self._one_at_a_time:
            database = await _database(session)
            if database != self._known:
                recovered = await recover(self._connections, self._topics, progress=_say)
                self._known = recovered.database
                if recovered.programs:
                    log.warning("programs learnt from their topic", versions=recovered.programs)


async def recover(
    connections: Connections, topics: Topics, *, adopt: bool = False, progress: Progress = lambda _done, _all: None
) -> Recovered:
    """Bring journal, state and programs level with the log.

    A database that knows nothing of a log that has events belongs to another installation, unless we are told to
    `adopt` them: then all of it is learnt from the log.

    Raises:
        ForkError: journal and log hold different events at one position.
        ConfigurationError: the log is another installation's.
        UnreadableEventError: the log lacks a position, or an event of it comes out otherwise when decided again.
        KafkaError, asyncpg.PostgresError, OSError, TimeoutError: what was learnt so far stays; begin again.
    """
    session = await connect(connections.postgres_dsn, role="earning", application="tallystick-earning-recover")
    try:
        database = await _database(session)
        shards = [row["shard"] for row in await session.fetch(QUERIES["heads"])]
        async with reading(connections.kafka_bootstrap_servers) as consumer:
            ends = await highest(consumer, topics.points, shards)
            # After the log: what another process decides and publishes meanwhile is no sign of a lost journal.
            heads = {row["shard"]: Head(row["position"], row["chain"]) for row in await session.fetch(QUERIES["heads"])}
            if not adopt:
                _refuse_foreign(topics.points, heads, ends)
            await compare(session, {shard: end for shard, end in ends.items() if end.position <= heads[shard].position})
            told = await _told_programs(consumer, topics.programs)
            programs = await registry.restore(session, told)
            await give_again(connections.kafka_bootstrap_servers, topics.programs, await registry.lost(session, told))
            ahead = [MissingRange(shard, head.position, ends[shard]) for shard, head in heads.items()]
            learning = _Learning(session, len(heads), [each for each in ahead if each.missing > 0], progress)
            for behind in learning.behind:
                await learning.learn(behind, _missing(consumer, topics.points, behind))
    finally:
        session.terminate()
    return Recovered(database, learning.learnt, [f"{one.program} {one.version}" for one in programs])


def _refuse_foreign(topic: str, heads: Mapping[int, Head], ends: Mapping[int, LogEnd]) -> None:
    """A journal without a row says nothing of whose log this is."""
    if any(head.position for head in heads.values()) or not any(end.position for end in ends.values()):
        return
    raise ConfigurationError(
        f"{topic} has point events, and this database has decided none of them.",
        cure="If it takes the place of one that is lost, run `tallystick rebuild --journal`; else name another topic.",
    )


async def compare(session: asyncpg.Connection, ends: Mapping[int, LogEnd]) -> None:
    """Where logs end, the journal must have the very event that they have there.

    Raises:
        ForkError: it has another one, or none.
    """
    told = {shard: end for shard, end in ends.items() if end.position}
    rows = await session.fetch(QUERIES["bytes_at"], list(told), [end.position for end in told.values()])
    chains = {shard: chain_of(value) for shard, value in rows}
    for shard, end in told.items():
        if chains.get(shard) != end.chain:
            raise _fork(shard, end.position)


async def _database(session: asyncpg.Connection) -> Database:
    ((oid, running_since),) = await session.fetch(QUERIES["database"])
    return oid, running_since


def _fork(shard: int, position: int) -> ForkError:
    """Journal and log have parted at a position."""
    return ForkError(shard, position, f"Shard {shard}: the log holds another event than the journal at {position}.")


async def _told_programs(consumer: AIOKafkaConsumer, topic: str) -> list[bytes]:
    """All of the programs topic: without the versions published since a backup their facts would come out otherwise."""
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


class _Learning:
    """Learns shards' events from the log, some decisions a transaction."""

    def __init__(
        self, session: asyncpg.Connection, shards: int, behind: Sequence[MissingRange], progress: Progress
    ) -> None:
        self._session = session
        self._shards = shards
        self._progress = progress
        self._all = sum(each.missing for each in behind)
        self.behind = behind
        self.learnt = 0

    async def learn(self, behind: MissingRange, events: AsyncIterator[LoggedEvent]) -> None:
        """Learn what a shard lacks."""
        waiting: list[LoggedEvent] = []
        async for event in events:
            if len(waiting) >= EVENTS_A_TRANSACTION and decision_of(event) != decision_of(waiting[-1]):
                await self._take(behind.shard, waiting)
                waiting = []
            waiting.append(event)
        await self._take(behind.shard, waiting)

    async def _take(self, shard: int, events: Sequence[LoggedEvent]) -> None:
        """Decide events again, behind those that the shard has, and commit."""
        session = self._session
        async with session.transaction():
            ((_, position, chain, month),) = await session.fetch(EARN["lock_shards"], [shard])
            # Another process may have learnt some of it meanwhile.
            made = list(decisions(event for event in events if event.data.position > position))
            if made and made[0][0].data.chain != chain:
                raise _fork(shard, position)
            book = Journal({shard: Head(position, chain)}, month)
            holdings = WorkingSet(self._shards)
            await self._decide(holdings, book, shard, made)
            if book.entries:
                await journal.write(session, book.entries)
                await save(session, holdings)
                await session.execute(EARN["update_shards"], *zip(*book.moved, strict=True))
                # It is in the log: that is where it comes from.
                await session.execute(EMIT["record_emitted"], [shard], [events[-1].data.position])
        self.learnt += len(events)
        self._progress(self.learnt, self._all)

    async def _decide(
        self, holdings: WorkingSet, book: Journal, shard: int, made: Sequence[Sequence[LoggedEvent]]
    ) -> None:
        wallets = [holdings.wallet(group[0].data.program, group[0].data.member) for group in made]
        await load(self._session, holdings, {key for group in made for key in keys_of(group)})
        versions = await registry.load(self._session, {wallet.program for wallet in wallets})
        for wallet, group in zip(wallets, made, strict=True):
            first = len(book.entries)
            work = replay_of(versions.get(wallet.program, registry.NONE), wallet, group)
            decision = await _made(self._session, holdings, wallet, work)
            book.append(shard, decision.events)
            _same(group, book.entries[first:], last=group is made[-1])
            holdings.apply(wallet, decision)


async def _made(session: asyncpg.Connection, holdings: WorkingSet, wallet: LoadedMember, work: Replay) -> Decision:
    """Make a decision again, with whatever rows it asks for."""
    asked = NONE_ASKED
    while True:
        try:
            return work.decide(holdings.rows_for(wallet, work.keys, asked))
        except RowsMissingError as missing:
            known = asked.issuperset(missing.keys) if missing.keys else False
            if known or not await supply(session, holdings, wallet, missing):
                raise
            asked = asked.union(missing.keys)


def _same(events: Sequence[LoggedEvent], entries: Sequence[Entry], *, last: bool) -> None:
    """What comes out is what the log has. The log may end within the last decision: then all of it is kept."""
    come_out = [entry.bytes for entry in entries]
    if last:
        come_out = come_out[: len(events)]
    if come_out != [event.bytes for event in events]:
        data = events[0].data
        raise UnreadableEventError(data.shard, data.position, f"{data.program}/{data.member} comes out otherwise")
