"""The checker: walks every shard's journal beside its log, folds it, and holds the tables against the fold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import asyncpg
from aiokafka import ConsumerRecord, TopicPartition

from services.verify.dead_letters import check_dead_letters
from services.verify.findings import Report
from services.verify.ledger import HELD, SIGNS, Account, Event, Shard
from services.verify.log import Ends, Log, position_of
from shared.postgres import LONG_WORK_SETTINGS, Queries, connect
from shared.topics import Topics

QUERIES = Queries(Path(__file__).parent / "sql" / "verify.sql")

_PREFETCH = 2_000
_TELL_EACH = 2_000

Progress = Callable[[str, int, int], None]
"""Called with what is being read, how many records of it are done, and how many there are."""


def quiet(_what: str, _done: int, _all: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Snapshot:
    """One consistent look at the tables, and the ends that the logs had just before."""

    session: asyncpg.Connection
    log: Log
    topics: Topics
    ends: Ends
    report: Report
    progress: Progress


async def verify(bootstrap_servers: str, dsn: str, topics: Topics, progress: Progress = quiet) -> Report:
    """Check a running installation as it is at one moment; nothing is written, nobody is held up.

    The logs' ends are noted first and the tables are read in one snapshot taken after it, so every record below those
    ends has its journal row in the snapshot.

    Raises:
        OSError, KafkaError, asyncpg.PostgresError: a server can't be read.
    """
    report = Report()
    log = Log(bootstrap_servers)
    await log.start()
    # It reads logs for as long as they are, inside a snapshot that holds no lock.
    settings = LONG_WORK_SETTINGS | {"idle_in_transaction_session_timeout": "0"}
    session = await connect(dsn, application="tallystick-verify", settings=settings)
    try:
        shards = [row["shard"] for row in await session.fetch(QUERIES["shards"])]
        points = [TopicPartition(topics.points, shard) for shard in shards]
        ends = dict(await log.ends(points))
        async with session.transaction(isolation="repeatable_read", readonly=True):
            at = Snapshot(session, log, topics, ends, report, progress)
            await _check_inputs(at)
            await _check_shards(at)
            relayed = [tuple(row) for row in await session.fetch(QUERIES["relayed_dead_letters"])]
            await check_dead_letters(log, topics.dead_letters, relayed, report)
    finally:
        await session.close()
        await log.stop()
    return report


async def _check_inputs(at: Snapshot) -> None:
    """I3: the four counts of each input partition add up to the records below its fence."""
    dead = {(row["topic"], row["partition"]): row["count"] for row in await at.session.fetch(QUERIES["dead_letters"])}
    fences = await at.session.fetch(QUERIES["fences"])
    begins = await at.log.begins([TopicPartition(row["topic"], row["partition"]) for row in fences])
    whole = sum(row["stored"] for row in fences)
    done = 0
    for row in fences:
        where = f"{row['topic']}/{row['partition']}"
        partition = TopicPartition(row["topic"], row["partition"])
        counted = row["applied"] + row["duplicate"] + row["rejected"] + row["dead_letter"]
        at.report.expect(
            "I3", where, "the number of dead letters", found=dead.get(tuple(partition), 0), expected=row["dead_letter"]
        )
        if begins[partition]:  # what retention took away can't be counted any more
            at.report.checked["input partitions cut by retention"] += 1
            continue
        records = 0
        async for _ in at.log.records(partition, row["stored"]):
            records += 1
            done += 1
            if done % _TELL_EACH == 0:
                at.progress("inputs", done, whole)
        at.report.checked["inputs"] += records
        at.report.expect("I3", where, "applied + duplicate + rejected + dead", found=counted, expected=records)


async def _check_shards(at: Snapshot) -> None:
    heads = await at.session.fetch(QUERIES["shards"])
    folded = {row["partition"]: row["max"] for row in await at.session.fetch(QUERIES["folded"])}
    balances = {(row["program"], row["member"]): row for row in await at.session.fetch(QUERIES["balances"])}
    tiers = {(row["program"], row["member"]): row["tier"] for row in await at.session.fetch(QUERIES["tiers"])}
    whole = sum(row["position"] for row in heads)
    seen: set[tuple[str, str]] = set()
    for row in heads:
        shard = Shard(row["shard"], at.report)
        walk = _Walk(at, shard, folded.get(row["shard"], 0), balances, tiers, whole)
        await walk.walk()
        at.report.expect("I14", f"shard {shard.number}", "position", found=shard.position, expected=row["position"])
        last = shard.hash_at(shard.position).hex() if shard.position else ""
        at.report.expect("I14", f"shard {shard.number}", "the head's chain", found=row["chain"], expected=last)
        seen |= walk.compared
    for member in balances.keys() - seen:
        at.report.add("I4", "/".join(member), "has a balance, and no point event is folded for them")


class _Walk:
    """One shard: its journal in order, its log beside it, and the tables where their position is reached."""

    def __init__(
        self,
        at: Snapshot,
        shard: Shard,
        folded: int,
        balances: dict[tuple[str, str], asyncpg.Record],
        tiers: dict[tuple[str, str], str],
        whole: int,
    ) -> None:
        self.at = at
        self.shard = shard
        self.folded = folded
        self.balances = balances
        self.tiers = tiers
        self.whole = whole
        self.compared: set[tuple[str, str]] = set()

    async def walk(self) -> None:
        """Take every journal row, then look at the log, which repeats it."""
        journal = self.at.session.cursor(QUERIES["journal"], self.shard.number, prefetch=_PREFETCH)
        rows = aiter(self._history())
        row = await anext(rows, None)
        async for position, value in journal:
            self.at.report.expect(
                "I7",
                f"shard {self.shard.number}",
                "the journal's next position",
                found=position,
                expected=self.shard.position + 1,
            )
            event = self.shard.take(value)
            if self.shard.position <= self.folded:
                self._compare_history(event, row)
                row = await anext(rows, None)
            if self.shard.position == self.folded:
                self._compare_accounts()
            self._tell()
        if row is not None:
            self.at.report.add(
                "I4", f"shard {self.shard.number}", f"history has position {row['position']} twice or too much"
            )
        await self._read_log()

    async def _history(self) -> AsyncIterator[asyncpg.Record]:
        async for row in self.at.session.cursor(QUERIES["history"], self.shard.number, prefetch=_PREFETCH):
            yield row

    def _tell(self) -> None:
        done = self.at.report.checked["point events"]
        if done % _TELL_EACH == 0:
            self.at.progress("point events", done, self.whole)

    def _compare_history(self, event: Event, row: asyncpg.Record | None) -> None:
        where = f"shard {self.shard.number} position {self.shard.position}"
        if row is None:
            self.at.report.add("I4", where, "is not in history, though later positions are folded")
            return
        self.at.report.checked["history rows"] += 1
        postings, balances = event.get("postings", {}), event["balances"]
        expected = (
            event["position"],
            event["program"],
            event["member"],
            event["sequence"],
            postings.get("available", 0),
            *(balances.get(name, 0) for name in HELD),
        )
        names = ("position", "program", "member", "sequence", "change", "balance", "pending", "deficit")
        self.at.report.expect(
            "I4", where, "the history row", found=tuple(row[name] for name in names), expected=expected
        )

    def _compare_accounts(self) -> None:
        """I4, I1: each member's row is what the postings up to here add up to."""
        for member, account in self.shard.accounts.items():
            self.compared.add(member)
            self.at.report.checked["balances"] += 1
            row = self.balances.get(member)
            if row is None:
                self.at.report.add("I4", "/".join(member), "has point events and no balance")
                continue
            self._compare_account(member, account, row)

    def _compare_account(self, member: tuple[str, str], account: Account, row: asyncpg.Record) -> None:
        where = "/".join(member)
        for name in (*HELD, *SIGNS):
            self.at.report.expect("I4", where, f"{name} in balances", found=row[name], expected=account.sums[name])
        self.at.report.expect("I4", where, "sequence in balances", found=row["sequence"], expected=account.sequence)
        if account.tier is not None:
            self.at.report.expect("I4", where, "tier", found=self.tiers.get(member), expected=account.tier)

    async def _read_log(self) -> None:
        """I14: first copies are in order of position, every copy has the journal's bytes; I3: no hole at the end."""
        partition = TopicPartition(self.at.topics.points, self.shard.number)
        reached, ahead = 0, 0
        async for record in self.at.log.records(partition, self.at.ends[partition]):
            position = position_of(record)
            if position is None:
                self.at.report.checked["foreign records on the points topic"] += 1
                continue
            self.at.report.checked["log records"] += 1
            if position == reached + 1:
                reached = position
            ahead = max(ahead, position)
            self._compare_bytes(record, position)
        if ahead > reached:
            self.at.report.add(
                "I3", f"shard {self.shard.number}", f"position {reached + 1} is missing from the log, which has {ahead}"
            )

    def _compare_bytes(self, record: ConsumerRecord, position: int) -> None:
        where = f"{record.topic}/{record.partition} offset {record.offset}"
        if position > self.shard.position:
            self.at.report.add("I14", where, f"position {position} is in the log and not in the journal")
            return
        if blake2b(record.value, digest_size=16).digest() != self.shard.hash_at(position):
            self.at.report.add("I14", where, f"position {position} has other bytes than the journal")
