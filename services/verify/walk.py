"""The walk through one shard: its journal in order, its history and log beside it, the tables where they are reached.

What was walked once stays known, so that a later walk takes what has come since.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import ConsumerRecord, TopicPartition

from services.verify.findings import Report
from services.verify.ledger import HELD, SIGNS, Account, Event, Shard
from services.verify.log import Ends, Log, position_of
from shared.postgres import Queries
from shared.topics import Topics

QUERIES = Queries(Path(__file__).parent / "sql" / "verify.sql")

_PREFETCH = 2_000
_TELL_EACH = 2_000
_HISTORY = ("position", "program", "member", "sequence", "change", "balance", "pending", "deficit")

Member = tuple[str, str]
Progress = Callable[[str, int, int], None]
"""Called with what is being read, how many records of it are done, and how many there are."""


@dataclass(frozen=True)
class Snapshot:
    """One consistent look at the tables, and the ends that the logs had just before."""

    session: asyncpg.Connection
    log: Log
    topics: Topics
    ends: Ends
    report: Report
    progress: Progress

    def tell(self, what: str, done: int, whole: int) -> None:
        """Say how far it is, now and then."""
        if done % _TELL_EACH == 0:
            self.progress(what, done, whole)


@dataclass
class Tables:
    """The read models of a snapshot: how far each partition is folded, and the rows by member."""

    folded: Mapping[int, int]
    balances: Mapping[Member, asyncpg.Record]
    tiers: Mapping[Member, str]


@dataclass
class Walked:
    """What is known of a shard so far.

    `owed`: the history rows that must follow, of events whose turn to be folded had not come, the first of them at
    `folded` + 1. `touched`: members with events since their row was compared. `compared`: those who may have a row.
    `log_next`, `reached`, `ahead`: how far its log was read, up to which position without a hole, and the highest
    position seen.
    """

    shard: Shard
    folded: int = 0
    owed: deque[tuple[Any, ...]] = field(default_factory=deque)
    touched: set[Member] = field(default_factory=set)
    compared: set[Member] = field(default_factory=set)
    log_next: int = 0
    reached: int = 0
    ahead: int = 0


class Walk:
    """One walk to where a snapshot has come."""

    def __init__(self, at: Snapshot, walked: Walked, tables: Tables, whole: int) -> None:
        self._at = at
        self._walked = walked
        self._shard = walked.shard
        self._tables = tables
        self._whole = whole
        self._folded = tables.folded.get(walked.shard.number, 0)
        self._where = f"shard {walked.shard.number}"
        self._report = walked.shard.report = at.report
        self._compared = False

    async def walk(self) -> None:
        """Take every new journal row, then look at the log, which repeats it."""
        shard, walked = self._shard, self._walked
        history = aiter(self._history(walked.folded))
        await self._compare_history(history)
        self._compare_accounts()
        async for position, value in self._at.session.cursor(
            QUERIES["journal"], shard.number, shard.position, prefetch=_PREFETCH
        ):
            self._report.expect(
                "I7", self._where, "the journal's next position", found=position, expected=shard.position + 1
            )
            event = shard.take(value)
            walked.owed.append(_history_row(event))
            walked.touched.add((event["program"], event["member"]))
            await self._compare_history(history)
            self._compare_accounts()
            self._at.tell("point events", self._report.checked["point events"], self._whole)
        if (row := await anext(history, None)) is not None:
            self._report.add("I4", self._where, f"history has position {row['position']} twice or too much")
        await self._read_log()

    @property
    def members(self) -> AbstractSet[Member]:
        """Who may have a row: whoever had events where the tables are, or, where that was walked past before, now."""
        return self._walked.compared if self._compared else self._shard.accounts.keys()

    async def _history(self, after: int) -> AsyncIterator[asyncpg.Record]:
        cursor = self._at.session.cursor(QUERIES["history"], self._shard.number, after, prefetch=_PREFETCH)
        async for row in cursor:
            yield row

    async def _compare_history(self, history: AsyncIterator[asyncpg.Record]) -> None:
        """I4, I9: the rows of all events that are folded, in their order."""
        walked = self._walked
        while walked.owed and walked.folded < self._folded:
            expected = walked.owed.popleft()
            walked.folded += 1
            where = f"{self._where} position {walked.folded}"
            row = await anext(history, None)
            if row is None:
                self._report.add("I4", where, "is not in history, though later positions are folded")
                continue
            self._report.checked["history rows"] += 1
            found = tuple(row[name] for name in _HISTORY)
            self._report.expect("I4", where, "the history row", found=found, expected=expected)

    def _compare_accounts(self) -> None:
        """I4, I1: each member's row is what the postings up to here add up to; sums that went further can't say."""
        if self._shard.position != self._folded:
            return
        self._compared = True
        for member in self._walked.touched:
            self._report.checked["balances"] += 1
            row = self._tables.balances.get(member)
            if row is None:
                self._report.add("I4", "/".join(member), "has point events and no balance")
                continue
            self._compare_account(member, self._shard.accounts[member], row)
        self._walked.compared |= self._walked.touched
        self._walked.touched.clear()

    def _compare_account(self, member: Member, account: Account, row: asyncpg.Record) -> None:
        where = "/".join(member)
        for name in (*HELD, *SIGNS):
            self._report.expect("I4", where, f"{name} in balances", found=row[name], expected=account.sums[name])
        self._report.expect("I4", where, "sequence in balances", found=row["sequence"], expected=account.sequence)
        if account.tier is not None:
            self._report.expect("I4", where, "tier", found=self._tables.tiers.get(member), expected=account.tier)

    async def _read_log(self) -> None:
        """I14: first copies are in order of position, every copy has the journal's bytes; I3: no hole at the end."""
        walked = self._walked
        partition = TopicPartition(self._at.topics.points, self._shard.number)
        end = self._at.ends[partition]
        async for record in self._at.log.records(partition, end, walked.log_next):
            position = position_of(record)
            if position is None:
                self._report.checked["foreign records on the points topic"] += 1
                continue
            self._report.checked["log records"] += 1
            if position == walked.reached + 1:
                walked.reached = position
            walked.ahead = max(walked.ahead, position)
            self._compare_bytes(record, position)
        walked.log_next = end
        if walked.ahead > walked.reached:
            missing = f"position {walked.reached + 1} is missing from the log, which has {walked.ahead}"
            self._report.add("I3", self._where, missing)

    def _compare_bytes(self, record: ConsumerRecord, position: int) -> None:
        where = f"{record.topic}/{record.partition} offset {record.offset}"
        if position > self._shard.position:
            self._report.add("I14", where, f"position {position} is in the log and not in the journal")
            return
        if blake2b(record.value, digest_size=16).digest() != self._shard.hash_at(position):
            self._report.add("I14", where, f"position {position} has other bytes than the journal")


def _history_row(event: Event) -> tuple[Any, ...]:
    """The history row that an event ought to give, in the order of `_HISTORY`."""
    balances = event["balances"]
    return (
        event["position"],
        event["program"],
        event["member"],
        event["sequence"],
        event.get("postings", {}).get("available", 0),
        *(balances.get(name, 0) for name in HELD),
    )
