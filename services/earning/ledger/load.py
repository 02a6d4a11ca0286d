"""Load: the standings, rows and lots that a batch's decisions read, and what they have changed of them so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path

import asyncpg
import msgspec

from services.earning.decide.core.decision import Decision
from services.earning.source_events.facts import Fact
from services.earning.state.keys import KeyState
from services.earning.state.standing import BusinessKey, KeyRow, Lot, Rows, RowsMissingError, SpendingOrder, Standing
from shared.postgres import Queries
from shared.shards import shard_of

QUERIES = Queries(Path(__file__).parents[1] / "sql" / "earn.sql")

LOTS_FIRST = 16
"""Lots read when a decision first asks for some to spend; each further time four times as many."""

NONE_ASKED: frozenset[BusinessKey] = frozenset()

read_standing = msgspec.msgpack.Decoder(Standing).decode
"""The body of a standing as a value."""

_book: msgspec.msgpack.Decoder[KeyState] = msgspec.msgpack.Decoder(KeyState)
_lot = msgspec.msgpack.Decoder(Lot).decode


class LoadedMember(msgspec.Struct, kw_only=True):
    """What is known here of one member: their standing as of now, and those of their lots that were read or made.

    `stored`: the standing is in its table. `read` lots are in theirs; the others are new. Every lot with points left
    up to `horizon` in spending order is known, and every lot due by `due_until`, after which `next_due` is the first
    due of any that is not known; `whole`: all are known that have anything left.
    """

    program: str
    member: str
    shard: int
    standing: Standing | None = None
    stored: bool = False
    touched: bool = False
    lots: dict[int, Lot] = {}
    read: set[int] = set()
    changed: set[int] = set()
    horizon: SpendingOrder | None = None
    whole: bool = True
    asked: int = 0
    due_until: datetime | None = None
    next_due: datetime | None = None
    all_keys: bool = False

    @property
    def of(self) -> tuple[str, str]:
        """Program and member."""
        return self.program, self.member

    def take(self, lot: Lot) -> None:
        """Get to know a lot of the table, unless it is known already: then what is known here counts."""
        if lot.lot in self.lots:
            return
        self.lots[lot.lot] = lot
        self.read.add(lot.lot)
        if self.due_until is not None and lot.due is not None and lot.due > self.due_until:
            self.due_until = self.next_due = None  # the next due may be this one's: ask anew where it matters


class WorkingSet:
    """The working set of one transaction: read once, changed by decisions, then saved.

    `messages` are facts for other members that its decisions led to, each with the shard of its member.
    """

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self.wallets: dict[tuple[str, str], LoadedMember] = {}
        self.keys: dict[BusinessKey, KeyRow] = {}
        self.keys_read: set[BusinessKey] = set()
        self.keys_changed: dict[BusinessKey, int] = {}
        self.messages: list[tuple[int, Fact]] = []

    def wallet(self, program: str, member: str) -> LoadedMember:
        """A member's wallet. Until something is loaded it is that of a member nobody has heard of: all is known."""
        wallet = self.wallets.get((program, member))
        if wallet is None:
            shard = shard_of(program, member, self._shards)
            wallet = self.wallets[program, member] = LoadedMember(program=program, member=member, shard=shard)
        return wallet

    def rows_for(
        self, wallet: LoadedMember, keys: Iterable[BusinessKey], asked: frozenset[BusinessKey] = NONE_ASKED
    ) -> Rows:
        """What a decision for a member may see: the rows of `keys` and `asked`, and the member's lots known so far."""
        rows = {}
        for key in (*keys, *asked):
            row = self.keys.get(key)
            if row is not None:
                rows[key] = row
        if wallet.all_keys:
            rows |= {row.key: row for row in self.rows_of(wallet)}
        known = wallet.lots, wallet.horizon, wallet.whole, wallet.due_until, wallet.next_due
        return Rows(rows, *known, asked, wallet.all_keys)

    def rows_of(self, wallet: LoadedMember) -> Iterable[KeyRow]:
        """The rows known here that a member owns."""
        return [row for key, row in self.keys.items() if (key.program, row.member) == wallet.of]

    def apply(self, wallet: LoadedMember, decision: Decision) -> None:
        """Take over what a member's decision has changed."""
        if decision.standing is not wallet.standing:
            wallet.standing = decision.standing
            wallet.touched = True
        for key in decision.gone:
            self.keys.pop(key, None)
            self.keys_changed.pop(key, None)
        for key, row in decision.keys.items():
            self.keys[key] = row
            self.keys_changed[key] = wallet.shard
        for number, lot in decision.lots.items():
            wallet.lots[number] = lot
            wallet.changed.add(number)
        for message in decision.messages:
            self.messages.append((shard_of(message.program, message.member, self._shards), message))


async def load(
    session: asyncpg.Connection, holdings: WorkingSet, keys: set[BusinessKey], until: datetime | None = None
) -> None:
    """Read the standings of the wallets, the rows of `keys`, the lots these rows name, and what is due `until` then."""
    await _load_standings(session, holdings)
    await _load_keys(session, holdings, keys)
    if until is not None:
        await load_due(session, holdings, until)


async def load_due(session: asyncpg.Connection, holdings: WorkingSet, until: datetime) -> None:
    """Read the lots of all wallets that are due by then."""
    await _load_due(session, [one for one in holdings.wallets.values() if _is_due(one, until)], until)


def _is_due(wallet: LoadedMember, until: datetime) -> bool:
    standing = wallet.standing
    return standing is not None and standing.lots_due is not None and standing.lots_due <= until and not wallet.whole


async def supply(
    session: asyncpg.Connection, holdings: WorkingSet, wallet: LoadedMember, missing: RowsMissingError
) -> bool:
    """Read what a decision asked for. False: it has all that, so asking is a fault.

    Keys that were asked for before are not looked at: the caller knows them.
    """
    if missing.every_row:
        await _load_every_row(session, holdings, wallet)
        return True
    if missing.keys:
        await _load_keys(session, holdings, {key for key in missing.keys if key not in holdings.keys})
        return True
    if wallet.whole:
        return False
    if missing.everything:
        await _load_left(session, wallet, None)
    elif missing.points:
        wallet.asked = wallet.asked * 4 or LOTS_FIRST
        await _load_left(session, wallet, wallet.asked)
    if missing.due_until is not None:
        if wallet.due_until is not None and wallet.due_until >= missing.due_until:
            return False
        await _load_due(session, [wallet], missing.due_until)
    return True


async def _load_standings(session: asyncpg.Connection, holdings: WorkingSet) -> None:
    for (of,), names in _grouped(holdings.wallets).items():
        for program, member, body in await session.fetch(QUERIES["standings"], of, names):
            standing = read_standing(body)
            wallet = holdings.wallets[program, member]
            wallet.standing = standing
            wallet.stored = True
            wallet.whole = standing.lots == 0


async def _load_keys(session: asyncpg.Connection, holdings: WorkingSet, keys: set[BusinessKey]) -> None:
    found: list[KeyRow] = []
    for group, ids in _grouped(keys).items():
        found += map(read_key, await session.fetch(QUERIES["keys"], *group, ids))
    for row in found:
        holdings.keys[row.key] = row
        holdings.keys_read.add(row.key)
    await _load_lots(session, holdings, found)


async def _load_every_row(session: asyncpg.Connection, holdings: WorkingSet, wallet: LoadedMember) -> None:
    """Read all rows of a member that are not known here, and all lots."""
    for row in map(read_key, await session.fetch(QUERIES["keys_of_member"], *wallet.of)):
        if row.key not in holdings.keys:
            holdings.keys[row.key] = row
            holdings.keys_read.add(row.key)
    for lot in map(read_lot, await session.fetch(QUERIES["lots_of_member"], *wallet.of)):
        wallet.take(lot)
    wallet.whole, wallet.all_keys = True, True


async def _load_lots(session: asyncpg.Connection, holdings: WorkingSet, rows: Iterable[KeyRow]) -> None:
    # A row owned by another member names lots of theirs: its decision ends before it would look at them.
    wanted = [
        (row.key.program, row.member, lot)
        for row in rows
        if (wallet := holdings.wallets.get((row.key.program, row.member))) is not None
        for lot in row.lots
        if lot not in wallet.lots
    ]
    if not wanted:
        return
    for program, member, body in await session.fetch(QUERIES["lots"], *_columns(wanted, 3)):
        wallet = holdings.wallets[program, member]
        wallet.take(_lot(body))
        wallet.whole = wallet.whole or len(wallet.read) == (wallet.standing.lots if wallet.standing else 0)


async def _load_left(session: asyncpg.Connection, wallet: LoadedMember, at_most: int | None) -> None:
    """Read lots with anything left, at most so many, in spending order; fewer than that: these are all."""
    rows = await session.fetch(QUERIES["lots_left"], wallet.program, wallet.member, at_most)
    lots = [read_lot(row) for row in rows]
    for lot in lots:
        wallet.take(lot)
    if at_most is None or len(lots) < at_most:
        wallet.whole = True
        wallet.horizon = None
    else:
        last = lots[-1]
        wallet.horizon = SpendingOrder(last.expires_at is None, last.expires_at, last.earned_at, last.lot)


async def _load_due(session: asyncpg.Connection, wallets: Sequence[LoadedMember], until: datetime) -> None:
    """Read every lot of these members that is due by then, and when the next one is of those not known here."""
    if not wallets:
        return
    by_member = {(wallet.program, wallet.member): wallet for wallet in wallets}
    programs, members = [one.program for one in wallets], [one.member for one in wallets]
    instants = [until] * len(wallets)
    for program, member, body in await session.fetch(QUERIES["due_lots"], programs, members, instants):
        by_member[program, member].take(_lot(body))
    known = [len(one.lots) for one in wallets]
    rows = await session.fetch(QUERIES["next_dues"], programs, members, instants, known)
    for wallet in wallets:
        wallet.due_until, wallet.next_due = until, None
    for program, member, lot, due in reversed(rows):
        wallet = by_member[program, member]
        if lot not in wallet.lots:
            wallet.next_due = due


def read_key(row: asyncpg.Record) -> KeyRow:
    """A row of keys, in the order of the query `keys`, as a value."""
    program, source, kind, name, member, lots, body = row
    return KeyRow(BusinessKey(program, source, kind, name), member, _book.decode(body), lots)


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
