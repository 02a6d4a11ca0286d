"""Rederive: standings, rows of keys and lots made anew from the journal alone, compared with the tables, and put there.

Every decision of the log is decided again, from its canonical fact; its events must come out byte for byte.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec

from services.earning.decide import Decision
from services.earning.installation import check_state_format, exchanging_state
from services.earning.ledger.journal import Head, Journal
from services.earning.ledger.load import LoadedMember, WorkingSet, read_key, read_standing
from services.earning.ledger.save import (
    KEY_COLUMNS,
    LOT_COLUMNS,
    STANDING_COLUMNS,
    insert,
    key_row,
    lot_row,
    standing_row,
)
from services.earning.program.registry import NONE
from services.earning.program.registry import load as load_programs
from services.earning.program.terms import Versions
from services.earning.replay.decisions import LoggedEvent, Replay, decisions, logged_event, replay_of
from services.earning.state.standing import BusinessKey, KeyRow, RowsMissingError
from shared.codec import CHAIN_START
from shared.errors import UnreadableEventError
from shared.postgres import LONG_WORK_SETTINGS, Queries, connect

QUERIES = Queries(Path(__file__).parents[1] / "sql" / "rederive.sql")

AT_A_TIME = 5000
NAMED_MAX = 1000
"""Differences that are named; all are counted."""

Progress = Callable[[int, int], None]
"""Told how many events are decided again, and of how many."""


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
    heads = {row["shard"]: row["position"] for row in await session.fetch(QUERIES["heads"])}
    report.shards, total = len(heads), sum(heads.values())

    def told() -> None:
        if progress is not None:
            progress(report.events, max(total, report.events))

    for shard in heads:
        derived = _Derived(session, shard, len(heads), report, told)
        await derived.read_on()
        async with session.transaction():
            await session.fetchval(QUERIES["lock_shard"], shard)
            await derived.read_on()
            stored = await derived.stored()
            if report.swapped:
                await derived.put(stored)
        derived.compare(stored)
    return report


class _Stored(NamedTuple):
    """Rows of one shard, as its tables hold them."""

    standings: list[asyncpg.Record]
    keys: list[asyncpg.Record]
    lots: list[asyncpg.Record]


class _Everything(WorkingSet):
    """All of a shard in memory: whose rows are whose is found without looking at every one."""

    def __init__(self, shards: int) -> None:
        super().__init__(shards)
        self._owned: defaultdict[tuple[str, str], set[BusinessKey]] = defaultdict(set)

    def rows_of(self, wallet: LoadedMember) -> Iterable[KeyRow]:
        """The rows that a member owns."""
        return [self.keys[key] for key in self._owned[wallet.of]]

    def apply(self, wallet: LoadedMember, decision: Decision) -> None:
        """Take over what a member's decision has changed; of messages only the log tells."""
        super().apply(wallet, decision)
        self.messages.clear()
        self._owned[wallet.of] -= decision.gone
        self._owned[wallet.of].update(decision.keys)


class _Derived:
    """One shard, decided again in memory."""

    def __init__(
        self, session: asyncpg.Connection, shard: int, shards: int, report: Report, told: Callable[[], None]
    ) -> None:
        self._session = session
        self._shard = shard
        self._report = report
        self._told = told
        self._versions: dict[str, Versions] = {}
        self._holdings = _Everything(shards)
        self._journal = Journal({shard: Head(0, CHAIN_START)}, date.min)
        self._position = 0
        self._leaving: dict[BusinessKey, KeyRow] = {}

    async def read_on(self) -> None:
        """Decide again what the journal has beyond what was read so far."""
        waiting: list[LoggedEvent] = []
        while rows := await self._session.fetch(QUERIES["journal"], self._shard, self._position, AT_A_TIME):
            events = waiting + [self._read(*row) for row in rows]
            whole = list(decisions(events))
            # A decision is committed as a whole, but what was read may end in the middle of one.
            waiting = whole.pop() if len(rows) == AT_A_TIME else []
            for decision in whole:
                await self._decide(decision)
            self._report.events += len(rows)
            self._told()
        if waiting:
            await self._decide(waiting)

    def _read(self, position: int, event_type: str, value: bytes) -> LoggedEvent:
        if position != self._position + 1:
            raise UnreadableEventError(self._shard, self._position + 1, "the journal has a gap")
        self._position = position
        return logged_event(self._shard, position, event_type, value)

    async def _decide(self, events: list[LoggedEvent]) -> None:
        wallet = self._holdings.wallet(events[0].data.program, events[0].data.member)
        decision = self._with_rows(wallet, replay_of(await self._versions_of(wallet.program), wallet, events))
        first = len(self._journal.entries)
        self._journal.append(self._shard, decision.events)
        come_out = [entry.bytes for entry in self._journal.entries[first:]]
        self._journal.entries.clear()
        if come_out != [event.bytes for event in events]:
            what = f"event {self._shard}/{events[0].data.position} comes out otherwise"
            self._report.add([Difference(wallet.program, wallet.member, what)])
        self._leaving |= {key: self._holdings.keys[key] for key in decision.gone}
        self._holdings.apply(wallet, decision)

    def _with_rows(self, wallet: LoadedMember, made: Replay) -> Decision:
        """Decide with the rows that are needed, and those that are asked for besides; all lots are always there."""
        asked: frozenset[BusinessKey] = frozenset()
        while True:
            try:
                return made.decide(self._holdings.rows_for(wallet, made.keys, asked))
            except RowsMissingError as missing:
                if missing.every_row:
                    wallet.all_keys = True
                    continue
                if asked.issuperset(missing.keys):
                    raise
                asked = asked.union(missing.keys)

    async def _versions_of(self, program: str) -> Versions:
        if program not in self._versions:
            self._versions |= await load_programs(self._session, [program])
        return self._versions.get(program, NONE)

    async def stored(self) -> _Stored:
        """What the tables hold of this shard."""
        session, shard = self._session, self._shard
        return _Stored(
            await session.fetch(QUERIES["standings"], shard),
            await session.fetch(QUERIES["keys"], shard),
            await session.fetch(QUERIES["lots"], shard),
        )

    def compare(self, stored: _Stored) -> None:
        """Compare with the tables: each standing, key and lot that is not as derived, and which of them are missing.

        Tables of another format are not compared.
        """
        report, wallets = self._report, self._holdings.wallets
        standings = {member: wallet.standing for member, wallet in wallets.items() if wallet.standing}
        lots = {
            (*member, lot.lot): lot_row(wallet, lot)
            for member, wallet in wallets.items()
            for lot in wallet.lots.values()
        }
        report.standings += len(standings)
        report.keys += len(self._holdings.keys)
        report.lots += len(lots)
        if report.reformatted:
            return
        stored_standings = {(program, member): read_standing(body) for program, member, body in stored.standings}
        report.add(_differences(standings, stored_standings, lambda key, _: Difference(key[0], key[1], "standing")))
        stored_keys = {row.key: row for row in map(read_key, stored.keys) if not self._is_leaving(row)}
        report.add(_differences(self._holdings.keys, stored_keys, _named_key))
        stored_lots = {tuple(row)[1:4]: tuple(row) for row in stored.lots}
        report.add(_differences(lots, stored_lots, lambda key, _: Difference(key[0], key[1], f"lot {key[2]}")))

    def _is_leaving(self, row: KeyRow) -> bool:
        """Whether a member was claimed who owned this row: it stays until the claimer takes it over."""
        return row.key not in self._holdings.keys and self._leaving.get(row.key) == row

    def _stored_leaving(self, stored: _Stored) -> list[KeyRow]:
        """The rows of claimed members that their claimers have not taken over yet."""
        if not self._report.reformatted:
            return [row for row in map(read_key, stored.keys) if self._is_leaving(row)]
        there = {(BusinessKey(*row[:4]), row["member"]) for row in stored.keys}
        left = (row for key, row in self._leaving.items() if key not in self._holdings.keys)
        return [row for row in left if (row.key, row.member) in there]

    async def put(self, stored: _Stored) -> None:
        """Put what was derived in the place of what the tables hold of this shard."""
        session, holdings = self._session, self._holdings
        leaving = self._stored_leaving(stored)
        for table in ("standings", "keys", "lots"):
            await session.execute(QUERIES[f"delete_{table}"], self._shard)
        wallets = holdings.wallets.values()
        await insert(session, "standings", STANDING_COLUMNS, [standing_row(one) for one in wallets if one.standing])
        keys = [*holdings.keys.values(), *leaving]
        await insert(session, "keys", KEY_COLUMNS, [key_row(row, self._shard) for row in keys])
        lots = [lot_row(wallet, lot) for wallet in wallets for lot in wallet.lots.values()]
        await insert(session, "lots", LOT_COLUMNS, lots)


def _named_key(key: BusinessKey, row: KeyRow) -> Difference:
    return Difference(key.program, row.member, f"key {key.kind} {key.id} of {key.source}")


def _differences(
    derived: Mapping[Any, Any], stored: Mapping[Any, Any], named: Callable[[Any, Any], Difference]
) -> Iterator[Difference]:
    for key in sorted(derived.keys() | stored.keys()):
        if derived.get(key) != stored.get(key):
            yield named(key, derived.get(key) or stored.get(key))
