"""Checks: what must hold at every commit, and of all that a run has left behind."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition

from services.earning.replay.rederive import rederive
from services.verify.findings import Report
from services.verify.ledger import HELD, SIGNS, Shard
from services.verify.log import position_of
from tests.support.simulation import tables
from tests.support.simulation.kafka import Log
from tests.support.simulation.shop import PROGRAM, Account
from tests.support.simulation.workers import CONNECTIONS, TOPICS

if TYPE_CHECKING:
    from tests.support.simulation.world import World

Event = dict[str, Any]

KEPT = {"available": 1, "pending": 1, "deficit": -1, "redeemed": 1, "expired": 1, "expired_reversed": -1}
"""Where points are that were earned or given, and not taken back: how each counts."""


class Checks:
    """Finds violations, each under the number of its invariant in docs/reliability.md. `seen` is what it looked at."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.violations: list[str] = []
        self.seen: list[Any] = []
        self._report = Report()

    def violated(self, invariant: str, what: str) -> None:
        """Note a violation."""
        self.violations.append(f"{invariant} {what}")

    def committed(self, writes: dict[Any, dict[Any, Any]]) -> None:
        """At every commit: no fence and no position goes back, and nothing in the journal is written again (I7)."""
        committed = self._world.server.tables
        for table, column in (
            (tables.FenceRow, "stored"),
            (tables.Shard, "position"),
            (tables.PositionRow, "position"),
        ):
            for key, row in writes.get(table, {}).items():
                before: Any = committed[table].get(key)
                if before is not None and getattr(row, column) < getattr(before, column):
                    self.violated("I7", f"{table.__name__} {key} goes back from {before} to {row}")

    async def check(self) -> None:
        """At the end, once nothing is behind."""
        shards = [self._fold(shard) for shard in range(len(self._world.server.tables[tables.Shard]))]
        events = [event for _, told in shards for event in told]
        for shard, _ in shards:
            self._compare_log(shard)
            self._compare_read_model(shard)
        self._compare_counts()
        self._compare_accounts(shards, events)
        self.violations += [f"{one.invariant} {one.where}: {one.what}" for one in self._report.findings]
        report = await rederive(CONNECTIONS.postgres_dsn, check=True)
        for difference in report.differences:
            self.violated("I10", f"decided again from the log, {difference} differs")

    def _rows(self, table: Any) -> list[Any]:
        return list(self._world.server.tables[table].values())

    def _fold(self, number: int) -> tuple[Shard, list[Event]]:
        """The journal, by the checker's own fold: I1, I2, I6, I7, I13, I14."""
        shard = Shard(number, self._report)
        rows = sorted(row for row in self._rows(tables.JournalRow) if row.shard == number)
        events = [dict(shard.take(row.bytes)) for row in rows]
        self.seen += [(row.position, row.bytes) for row in rows]
        return shard, events

    def _compare_log(self, shard: Shard) -> None:
        """The log has every position, first copies in their order, and every copy has the journal's bytes (I3, I14)."""
        log = self._world.broker.logs[TopicPartition(TOPICS.points, shard.number)]
        journal = self._world.server.tables[tables.JournalRow]
        self.seen.append(("log", log.end))
        for record in log.records:
            position = position_of(record)
            if position is not None:
                row: Any = journal.get((shard.number, position))
                where = f"log {shard.number}/{position}"
                self._report.expect("I14", where, "value", found=record.value, expected=row.bytes)
        # What is lost twice may come again behind its successor; readers go back for it.
        in_order = "lose points" not in self._world.fates.told
        whole = whole_to(log, in_order=in_order)
        self._report.expect("I3", f"log {shard.number}", "last position", found=whole, expected=shard.position)

    def _compare_read_model(self, shard: Shard) -> None:
        """Balances and history are the fold of the journal (I4, I9)."""
        history = sorted(row for row in self._rows(tables.ROWS["history"]) if row.partition == shard.number)
        found = [(row.position, row.hash) for row in history]
        expected = [(position, shard.hash_at(position)) for position in range(1, shard.position + 1)]
        self._report.expect("I9", f"history of {shard.number}", "rows", found=found, expected=expected)
        members = {
            (row.program, row.member): row
            for row in self._rows(tables.ROWS["members"])
            if row.partition == shard.number
        }
        self._report.expect("I4", f"members of {shard.number}", "who", found=set(members), expected=set(shard.accounts))
        for member, account in shard.accounts.items():
            row = members.get(member)
            balances = {name: getattr(row, name, None) for name in (*HELD, *SIGNS)}
            self._report.expect("I4", "/".join(member), "balances", found=balances, expected=account.sums)
            self._report.expect(
                "I4", "/".join(member), "sequence", found=getattr(row, "sequence", None), expected=account.sequence
            )

    def _compare_counts(self) -> None:
        """Every input ended as one of four things, poison and nothing else as a dead letter (I3)."""
        for where, log in self._world.broker.logs.items():
            if where.topic not in TOPICS.inputs or not log.records:
                continue
            row: Any = self._world.server.tables[tables.FenceRow][where.topic, where.partition]
            counted = row.applied + row.duplicate + row.rejected + row.dead_letter
            name = f"{where.topic}/{where.partition}"
            inputs = sum(record.offset >= row.begun for record in log.records)
            found = counted - row.counted_before
            self._report.expect("I3", name, "inputs counted", found=found, expected=inputs)
            self.seen.append(row)
        self._report.expect("I3", "inbox", "messages left", found=len(self._rows(tables.InboxRow)), expected=0)
        letters = self._rows(tables.DeadLetterRow)
        self._report.expect("I3", "dead letters", "number", found=len(letters), expected=self._world.traffic.poison)
        relayed = sum(row.relayed_at is not None for row in letters)
        self._report.expect("I3", "dead letters", "relayed", found=relayed, expected=len(letters))

    def _compare_accounts(self, shards: list[tuple[Shard, list[Event]]], events: list[Event]) -> None:
        """Each member has what their facts are worth, each taken once, whatever became of the records (I2)."""
        held = {member: account.sums for shard, _ in shards for member, account in shard.accounts.items()}
        decided = Counter(event["redemption"] for event in events if "redemption" in event)
        for member, account in self._world.traffic.accounts.items():
            sums = held.get((PROGRAM, member), {})
            worth = sum(order.worth for order in account.orders.values()) + sum(account.adjusted.values())
            worth += account.rewards
            net = sum(sign * sums.get(name, 0) for name, sign in KEPT.items())
            self._report.expect("I2", member, "points held, redeemed or expired", found=net, expected=worth)
            self._compare_redemptions(member, account, decided, events)

    def _compare_redemptions(self, member: str, account: Account, decided: Counter[str], events: list[Event]) -> None:
        for redemption in account.redemptions:
            self._report.expect("I2", redemption, "decisions", found=decided[redemption], expected=1)
        taken = {
            event["redemption"]: event["postings"]["redeemed"]
            for event in events
            if event.get("member") == member and "redeemed" in event.get("postings", {})
        }
        for redemption, points in taken.items():
            self._report.expect(
                "I2", redemption, "points taken", found=points, expected=account.redemptions.get(redemption)
            )


def whole_to(log: Log, *, in_order: bool) -> int:
    """Up to which position a log has all; `in_order`: the first copy of each behind that of the one before."""
    positions = [position for record in log.records if (position := position_of(record)) is not None]
    reached = 0
    for position in positions if in_order else sorted(positions):
        if position == reached + 1:
            reached = position
    return reached
