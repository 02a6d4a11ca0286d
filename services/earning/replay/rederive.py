"""Rederive: standings, rows of keys and lots made anew from the journal alone, compared with the tables, and put there.

Every decision of the log is decided again, from its canonical fact; its events must come out byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

import asyncpg
import msgspec

from services.earning.decide import Decision
from services.earning.installation import check_state_format, exchanging_state
from services.earning.ledger.journal import Head, Journal, records_after
from services.earning.ledger.ledger import Ledger
from services.earning.ledger.memory import MemoryRows
from services.earning.ledger.shard_rows import ShardRows, exchange_shard, lot_rows, owners_in_shard, read_shard
from services.earning.ledger.transaction import heads, heads_locked
from services.earning.ledger.working_set import LoadedMember
from services.earning.program.registry import ProgramCache
from services.earning.replay.decisions import LoggedEvent, Progress, decisions, logged_event, replay
from services.earning.state.standing import BusinessKey, KeyRow, Standing
from shared.codec import CHAIN_START
from shared.errors import UnreadableEventError
from shared.postgres import LONG_WORK_SETTINGS, connect

AT_A_TIME = 5000
NAMED_MAX = 1000
"""Differences that are named; all are counted."""


class Difference(NamedTuple):
    """What is not as the log says: a member's `standing`, `key …`, `lot …`, or an `event …` that comes out new."""

    program: str
    member: str
    what: str


class Report(msgspec.Struct):
    """What was decided again, and how the tables compare with it.

    `swapped`: they are now as the log says. `reformatted`: they were of an older format, and could not be compared.
    """

    shards: int = 0
    events: int = 0
    standings: int = 0
    keys: int = 0
    lots: int = 0
    different: int = 0
    differences: list[Difference] = []
    swapped: bool = False
    reformatted: bool = False

    def add(self, found: Iterable[Difference]) -> None:
        """Count differences, and name those there is room for."""
        for difference in found:
            self.different += 1
            if len(self.differences) < NAMED_MAX:
                self.differences.append(difference)


async def rederive(dsn: str, *, check: bool, progress: Progress | None = None) -> Report:
    """Derive all state from the journal again, shard by shard; compare, and unless `check` put it into the tables.

    Services may go on working: each shard is locked while its last rows are decided, and what its tables hold is read
    and exchanged. They are compared afterwards. Tables of an older format are exchanged without being read; then no
    process of earning may be at work.

    Raises:
        ConfigurationError: the tables are of a format that this code can't work with now.
        UnreadableEventError: the journal has a gap, or a row that can't be read.
        OSError, asyncpg.PostgresError: Postgres is away; shards done so far stay done.
    """
    session = await connect(dsn, role="earning", application="tallystick-rederive", settings=LONG_WORK_SETTINGS)
    try:
        if check:
            await check_state_format(session)
            return await _rederive(session, Report(), progress)
        async with exchanging_state(session) as readable:
            return await _rederive(session, Report(swapped=True, reformatted=not readable), progress)
    finally:
        await session.close()


async def _rederive(session: asyncpg.Connection, report: Report, progress: Progress | None) -> Report:
    known = await heads(session)
    report.shards, total = len(known), sum(head.position for head in known.values())

    def tell() -> None:
        if progress is not None:
            progress(report.events, max(total, report.events))

    for shard in known:
        derived = _Derived(session, shard, len(known), report, tell)
        await derived.read_on()
        async with heads_locked(session, [shard]):
            await derived.read_on()
            stored = await derived.stored()
            if report.swapped:
                await derived.put()
        derived.compare(stored)
    return report


class _DerivedRows(MemoryRows):
    """All of a shard in memory, and the rows of members who were claimed, until the claimer takes them over."""

    def __init__(self, shards: int) -> None:
        super().__init__(shards)
        self.leaving: dict[BusinessKey, KeyRow] = {}

    def apply(self, member: LoadedMember, decision: Decision) -> None:
        """Take over what a member's decision has changed."""
        self.leaving |= {key: self.keys[key] for key in decision.gone}
        super().apply(member, decision)


class _Derived:
    """One shard, decided again in memory."""

    def __init__(
        self, session: asyncpg.Connection, shard: int, shards: int, report: Report, tell: Callable[[], None]
    ) -> None:
        self._session = session
        self._shard = shard
        self._report = report
        self._tell = tell
        self._programs = ProgramCache()
        self._rows = _DerivedRows(shards)
        self._journal = Journal({shard: Head(0, CHAIN_START)}, date.min)
        self._ledger = Ledger(self._rows, self._rows, self._journal)
        self._leaving: list[KeyRow] = []
        self._position = 0

    async def read_on(self) -> None:
        """Decide again what the journal has beyond what was read so far."""
        waiting: list[LoggedEvent] = []
        while records := await records_after(self._session, self._shard, self._position, AT_A_TIME):
            events = waiting + [self._read(*record) for record in records]
            whole = list(decisions(events))
            # A decision is committed as a whole, but what was read may end in the middle of one.
            waiting = whole.pop() if len(records) == AT_A_TIME else []
            await self._decide(whole)
            self._report.events += len(records)
            self._tell()
        if waiting:
            await self._decide([waiting])

    def _read(self, position: int, event_type: str, value: bytes) -> LoggedEvent:
        if position != self._position + 1:
            raise UnreadableEventError(self._shard, self._position + 1, "the journal has a gap")
        self._position = position
        return logged_event(self._shard, position, event_type, value)

    async def _decide(self, made: Iterable[list[LoggedEvent]]) -> None:
        groups = list(made)
        programs = await self._programs.load(self._session, {group[0].data.program for group in groups})
        for group in groups:
            come_out = await replay(self._ledger, programs, group)
            self._journal.entries.clear()
            if come_out != [event.bytes for event in group]:
                first = group[0].data
                what = f"event {self._shard}/{first.position} comes out otherwise"
                self._report.add([Difference(first.program, first.member, what)])

    async def stored(self) -> ShardRows | None:
        """What the tables hold, without rows that stay there until a claimer takes them over; None: another format."""
        left = {key: row for key, row in self._rows.leaving.items() if key not in self._rows.keys}
        if self._report.reformatted:
            owners = await owners_in_shard(self._session, self._shard)
            self._leaving = [row for key, row in left.items() if owners.get(key) == row.member]
            return None
        stored = await read_shard(self._session, self._shard)
        self._leaving = [row for key, row in left.items() if stored.keys.get(key) == row]
        for row in self._leaving:
            del stored.keys[row.key]
        return stored

    def compare(self, stored: ShardRows | None) -> None:
        """Compare with the tables: each standing, key and lot that is not as derived, and which of them are missing."""
        report, derived = self._report, self._rows
        lots = lot_rows(derived.members.values())
        report.standings += len(derived.standings)
        report.keys += len(derived.keys)
        report.lots += len(lots)
        if stored is not None:
            report.add(_differences(derived.standings, stored.standings, _named_standing))
            report.add(_differences(derived.keys, stored.keys, _named_key))
            report.add(_differences(lots, stored.lots, _named_lot))

    async def put(self) -> None:
        """Put what was derived in the place of what the tables hold of this shard."""
        rows = self._rows
        await exchange_shard(self._session, self._shard, rows.members.values(), [*rows.keys.values(), *self._leaving])


def _named_standing(of: tuple[str, str], _: Standing) -> Difference:
    return Difference(*of, "standing")


def _named_lot(of: tuple[str, str, int], _: tuple[object, ...]) -> Difference:
    program, member, number = of
    return Difference(program, member, f"lot {number}")


def _named_key(key: BusinessKey, row: KeyRow) -> Difference:
    return Difference(key.program, row.member, f"key {key.kind} {key.id} of {key.source}")


def _differences(
    derived: Mapping[Any, Any], stored: Mapping[Any, Any], named: Callable[[Any, Any], Difference]
) -> Iterator[Difference]:
    for key in sorted(derived.keys() | stored.keys()):
        if derived.get(key) != stored.get(key):
            yield named(key, derived.get(key) or stored.get(key))
