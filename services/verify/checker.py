"""The checker: walks every shard's journal beside its log, folds it, and holds the tables against the fold."""

from __future__ import annotations

from contextlib import AsyncExitStack

import asyncpg
from aiokafka import TopicPartition

from services.verify.dead_letters import DeadLetters
from services.verify.findings import Report
from services.verify.ledger import Shard
from services.verify.log import Log
from services.verify.walk import QUERIES, Progress, Snapshot, Tables, Walk, Walked
from shared.postgres import LONG_WORK_SETTINGS, connect
from shared.topics import Topics

# It reads logs for as long as they are, inside a snapshot that holds no lock.
_SETTINGS = LONG_WORK_SETTINGS | {"idle_in_transaction_session_timeout": "0"}


WALKED = ("history", "members")
"""The read models whose every value is compared on the walk; of the others we know what holds for all."""


def quiet(_what: str, _done: int, _all: int) -> None:
    """Tell nobody."""


async def verify(bootstrap_servers: str, dsn: str, topics: Topics, progress: Progress = quiet) -> Report:
    """Check a running installation as it is at one moment; nothing is written, nobody is held up.

    Raises:
        OSError, KafkaError, asyncpg.PostgresError: a server can't be read.
    """
    return await Checker(bootstrap_servers, dsn, topics).check(progress)


class Checker:
    """Checks one installation, as often as one likes: each check takes what has come since the one before.

    What lies below was read once and isn't read again: damage done to it later is for a new checker to find.
    """

    def __init__(self, bootstrap_servers: str, dsn: str, topics: Topics) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._dsn = dsn
        self._topics = topics
        self._walked: dict[int, Walked] = {}
        self._dead_letters = DeadLetters(topics.dead_letters)
        self._inputs: dict[tuple[TopicPartition, int], tuple[int, int]] = {}
        self._looking: tuple[Snapshot, AsyncExitStack] | None = None

    async def check(self, progress: Progress = quiet) -> Report:
        """Look, and compare.

        Raises:
            OSError, KafkaError, asyncpg.PostgresError: a server can't be read; this checker is of no more use.
        """
        await self.look(progress)
        return await self.compare()

    async def look(self, progress: Progress = quiet) -> None:
        """Take a snapshot: what is written from now on is not looked at.

        The logs' ends are noted first and the tables are read in one snapshot taken after it, so every record below
        those ends has its journal row in the snapshot.
        """
        async with AsyncExitStack() as held:
            log = Log(self._bootstrap_servers)
            await log.start()
            held.push_async_callback(log.stop)
            session = await connect(self._dsn, application="tallystick-verify", settings=_SETTINGS)
            held.push_async_callback(session.close)
            shards = [row["shard"] for row in await session.fetch(QUERIES["shards"])]
            ends = await log.end_offsets([TopicPartition(self._topics.points, shard) for shard in shards])
            await held.enter_async_context(session.transaction(isolation="repeatable_read", readonly=True))
            await session.fetch(QUERIES["shards"])  # the first statement is what takes the snapshot
            at = Snapshot(session, log, self._topics, ends, Report(), progress)
            self._looking = at, held.pop_all()

    async def compare(self) -> Report:
        """Compare what the last look has seen."""
        if self._looking is None:
            raise RuntimeError("look first")
        at, held = self._looking
        self._looking = None
        async with held:
            await self._check_inputs(at)
            await self._check_shards(at)
            relayed = [tuple(row) for row in await at.session.fetch(QUERIES["relayed_dead_letters"])]
            await self._dead_letters.check(at.log, relayed, at.report)
        return at.report

    async def _check_inputs(self, at: Snapshot) -> None:
        """I3: the four counts of each input partition add up to the records below its fence, in the present log."""
        rows = await at.session.fetch(QUERIES["dead_letters"])
        dead = {(row["topic"], row["partition"]): row["count"] for row in rows}
        fences = await at.session.fetch(QUERIES["fences"])
        # A log begins above 0 where its retention has taken records away.
        begins = await at.log.beginning_offsets([TopicPartition(row["topic"], row["partition"]) for row in fences])
        whole = sum(row["stored"] for row in fences)
        for row in fences:
            where = f"{row['topic']}/{row['partition']}"
            partition = TopicPartition(row["topic"], row["partition"])
            counted = row["applied"] + row["duplicate"] + row["rejected"] + row["dead_letter"]
            found = dead.get(tuple(partition), 0)
            at.report.expect("I3", where, "the number of dead letters", found=found, expected=row["dead_letter"])
            if begins[partition] > row["begun"]:  # what retention took away can't be counted any more
                at.report.checked["input partitions cut by retention"] += 1
                continue
            records = await self._count(at, partition, row, whole)
            counted -= row["counted_before"]
            at.report.expect("I3", where, "applied + duplicate + rejected + dead", found=counted, expected=records)

    async def _count(self, at: Snapshot, partition: TopicPartition, fence: asyncpg.Record, whole: int) -> int:
        """The records of an input partition below its fence, from where reading of this log began."""
        end, log = int(fence["stored"]), int(fence["log"])
        begin, records = self._inputs.get((partition, log), (int(fence["begun"]), 0))
        at.report.checked["inputs"] += records
        async for _ in at.log.records(partition, end, begin):
            records += 1
            at.report.checked["inputs"] += 1
            at.tell("inputs", at.report.checked["inputs"], whole)
        self._inputs[partition, log] = (end, records)
        return records

    async def _check_shards(self, at: Snapshot) -> None:
        heads = await at.session.fetch(QUERIES["shards"])
        tables = Tables(
            {row["partition"]: row["max"] for row in await at.session.fetch(QUERIES["folded"])},
            {(row["program"], row["member"]): row for row in await at.session.fetch(QUERIES["balances"])},
            {(row["program"], row["member"]): row["tier"] for row in await at.session.fetch(QUERIES["tiers"])},
        )
        whole = sum(row["position"] for row in heads)
        known: set[tuple[str, str]] = set()
        for row in heads:
            walked = self._walked.setdefault(row["shard"], Walked(Shard(row["shard"], at.report)))
            walk = Walk(at, walked, tables, whole)
            await walk.walk()
            _check_head(at, walked.shard, row)
            known |= walk.members
        for member in tables.balances.keys() - known:
            at.report.add("I4", "/".join(member), "has a balance, and no point event is folded for them")
        for row in await at.session.fetch(QUERIES["models"]):
            if row["model"] not in WALKED:
                await self._check_model(at, row["model"], row["table"])

    async def _check_model(self, at: Snapshot, model: str, table: str) -> None:
        """I4: whatever a read model is about, its rows are those of members, after an event that they have."""
        for row in await at.session.fetch(QUERIES.filled("members_of_model", table=table)):
            at.report.checked[f"members in {model}"] += 1
            member, walked = (row["program"], row["member"]), self._walked.get(row["partition"])
            account = None if walked is None else walked.shard.accounts.get(member)
            if account is None or row["sequence"] > account.sequence:
                what = f"has a row in {model} after event {row['sequence']}, which they don't have"
                at.report.add("I4", "/".join(member), what)


def _check_head(at: Snapshot, shard: Shard, row: asyncpg.Record) -> None:
    where = f"shard {shard.number}"
    at.report.expect("I14", where, "position", found=shard.position, expected=row["position"])
    last = shard.hash_at(shard.position).hex() if shard.position else ""
    at.report.expect("I14", where, "the head's chain", found=row["chain"], expected=last)
