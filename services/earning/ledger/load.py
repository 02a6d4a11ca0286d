"""Load: the standings, rows and lots that decisions read, out of the tables into a working set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path

import asyncpg
import msgspec

from services.earning.ledger.working_set import LoadedMember, WorkingSet
from services.earning.state.keys import KeyState
from services.earning.state.standing import BusinessKey, KeyRow, Lot, RowsMissingError, SpendingOrder, Standing
from shared.postgres import Queries

QUERIES = Queries(Path(__file__).parents[1] / "sql" / "rows.sql")

LOTS_FIRST = 16
"""Lots read when a decision first asks for some to spend; each further time four times as many."""

read_standing = msgspec.msgpack.Decoder(Standing).decode
"""The body of a standing as a value."""

_state: msgspec.msgpack.Decoder[KeyState] = msgspec.msgpack.Decoder(KeyState)
_lot = msgspec.msgpack.Decoder(Lot).decode


class PostgresRows:
    """The rows of a transaction: what is read of the tables goes into its working set."""

    def __init__(self, session: asyncpg.Connection, working_set: WorkingSet) -> None:
        self._session = session
        self._set = working_set

    async def load(self, keys: set[BusinessKey], until: datetime | None = None) -> None:
        """Read the members' standings, the rows of `keys`, the lots these rows name, and what is due `until` then."""
        await self._load_standings()
        await self._load_keys(keys)
        if until is not None:
            await self.load_due(until)

    async def load_due(self, until: datetime) -> None:
        """Read the lots of all members that are due by then."""
        await self._load_due([one for one in self._set.members.values() if _is_due(one, until)], until)

    async def supply(self, member: LoadedMember, missing: RowsMissingError) -> bool:
        """Read what a decision asked for. False: it has all that, so asking is a fault.

        Keys that were asked for before are not looked at: the caller knows them.
        """
        if missing.every_row:
            await self._load_every_row(member)
            return True
        if missing.keys:
            await self._load_keys({key for key in missing.keys if key not in self._set.keys})
            return True
        if member.whole:
            return False
        if missing.everything:
            await self._load_left(member, None)
        elif missing.points:
            member.asked = member.asked * 4 or LOTS_FIRST
            await self._load_left(member, member.asked)
        if missing.due_until is not None:
            if member.due_until is not None and member.due_until >= missing.due_until:
                return False
            await self._load_due([member], missing.due_until)
        return True

    async def _load_standings(self) -> None:
        for (of,), names in _grouped(self._set.members).items():
            for program, member, body in await self._session.fetch(QUERIES["standings"], of, names):
                standing = read_standing(body)
                loaded = self._set.members[program, member]
                loaded.standing = standing
                loaded.stored = True
                loaded.whole = standing.lots == 0

    async def _load_keys(self, keys: set[BusinessKey]) -> None:
        found: list[KeyRow] = []
        for group, ids in _grouped(keys).items():
            found += map(read_key, await self._session.fetch(QUERIES["keys"], *group, ids))
        self._add(found)
        await self._load_lots(found)

    def _add(self, rows: Iterable[KeyRow]) -> None:
        for row in rows:
            self._set.keys[row.key] = row
            self._set.keys_read.add(row.key)

    async def _load_every_row(self, member: LoadedMember) -> None:
        """Read all rows of a member that are not known here, and all lots."""
        rows = map(read_key, await self._session.fetch(QUERIES["keys_of_member"], *member.of))
        self._add(row for row in rows if row.key not in self._set.keys)
        for lot in map(read_lot, await self._session.fetch(QUERIES["lots_of_member"], *member.of)):
            member.add_lot(lot)
        member.whole, member.all_keys = True, True

    async def _load_lots(self, rows: Iterable[KeyRow]) -> None:
        # A row owned by another member names lots of theirs: its decision ends before it would look at them.
        wanted = [
            (row.key.program, row.member, lot)
            for row in rows
            if (member := self._set.members.get((row.key.program, row.member))) is not None
            for lot in row.lots
            if lot not in member.lots
        ]
        if not wanted:
            return
        for program, name, body in await self._session.fetch(QUERIES["lots"], *_columns(wanted, 3)):
            member = self._set.members[program, name]
            member.add_lot(_lot(body))
            member.whole = member.whole or len(member.read) == (member.standing.lots if member.standing else 0)

    async def _load_left(self, member: LoadedMember, at_most: int | None) -> None:
        """Read lots with anything left, at most so many, in spending order; fewer than that: these are all."""
        lots = [read_lot(row) for row in await self._session.fetch(QUERIES["lots_left"], *member.of, at_most)]
        for lot in lots:
            member.add_lot(lot)
        if at_most is None or len(lots) < at_most:
            member.whole = True
            member.horizon = None
        else:
            last = lots[-1]
            member.horizon = SpendingOrder(last.expires_at is None, last.expires_at, last.earned_at, last.lot)

    async def _load_due(self, members: Sequence[LoadedMember], until: datetime) -> None:
        """Read every lot of these members that is due by then, and when the next one is of those not known here."""
        if not members:
            return
        by_name = {member.of: member for member in members}
        programs, names = [one.program for one in members], [one.member for one in members]
        instants = [until] * len(members)
        for program, name, body in await self._session.fetch(QUERIES["due_lots"], programs, names, instants):
            by_name[program, name].add_lot(_lot(body))
        known = [len(one.lots) for one in members]
        rows = await self._session.fetch(QUERIES["next_dues"], programs, names, instants, known)
        for member in members:
            member.due_until, member.next_due = until, None
        for program, name, lot, due in reversed(rows):
            member = by_name[program, name]
            if lot not in member.lots:
                member.next_due = due


def _is_due(member: LoadedMember, until: datetime) -> bool:
    standing = member.standing
    return standing is not None and standing.lots_due is not None and standing.lots_due <= until and not member.whole


def read_key(row: asyncpg.Record) -> KeyRow:
    """A row of keys, in the order of the query `keys`, as a value."""
    program, source, kind, name, member, lots, body = row
    return KeyRow(BusinessKey(program, source, kind, name), member, _state.decode(body), lots)


def read_lot(row: asyncpg.Record) -> Lot:
    """A row of lots (program, member, body) as a value."""
    return _lot(row[2])


def _grouped(rows: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], list[str]]:
    """The last of each row's values, by the others."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        groups.setdefault(row[:-1], []).append(row[-1])
    return groups


def _columns(rows: Iterable[tuple[object, ...]], width: int) -> list[list[object]]:
    """Rows as columns, as `unnest` takes them; all of them empty where there are no rows."""
    flat = list(chain.from_iterable(rows))
    return [flat[at::width] for at in range(width)]
