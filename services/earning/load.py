"""Load: the standings, rows and lots that a batch's decisions read, and what they have changed of them so far."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec

from services.earning.books import Book
from services.earning.decide.decision import Decision
from services.earning.standing import BusinessKey, KeyRow, Lot, Rows, SpendingOrder, Standing
from shared.postgres import Queries

QUERIES = Queries(Path(__file__).parent / "sql" / "earn.sql")

LOTS_FIRST = 64
"""Spendable lots read when a decision first asks for them; each further time four times as many."""

read_standing = msgspec.msgpack.Decoder(Standing).decode
"""The body of a standing as a value."""

_book: msgspec.msgpack.Decoder[Book] = msgspec.msgpack.Decoder(Book)


class MemberId(NamedTuple):
    """Which member of which program."""

    program: str
    member: str


class Wallet(msgspec.Struct):
    """What is known here of one member: their standing as of now, and those of their lots that were read or made.

    `read` lots are in the table; the others are new. Every spendable lot up to `horizon` is known; `whole`: all are.
    """

    standing: Standing | None
    lots: dict[int, Lot]
    read: set[int]
    changed: set[int]
    horizon: SpendingOrder | None = None
    whole: bool = False
    asked: int = 0
    stored: bool = False
    touched: bool = False


class Holdings:
    """The working set of one transaction: read once, changed by decisions, then saved."""

    def __init__(self) -> None:
        self.wallets: dict[MemberId, Wallet] = {}
        self.keys: dict[BusinessKey, KeyRow] = {}
        self.keys_read: set[BusinessKey] = set()
        self.keys_changed: set[BusinessKey] = set()

    def rows_for(self, member: MemberId, keys: Iterable[BusinessKey]) -> Rows:
        """What a decision for `member` may see: the rows of `keys`, and the member's lots known so far."""
        wallet = self.wallets[member]
        known = self.keys
        return Rows(
            keys={key: known[key] for key in keys if key in known},
            lots=wallet.lots,
            horizon=wallet.horizon,
            all_lots=wallet.whole,
        )

    def apply(self, member: MemberId, decision: Decision) -> None:
        """Take over what a decision has changed."""
        wallet = self.wallets[member]
        if decision.standing is not wallet.standing:
            wallet.standing = decision.standing
            wallet.touched = True
        if decision.keys:
            self.keys.update(decision.keys)
            self.keys_changed.update(decision.keys)
        if decision.lots:
            wallet.lots.update(decision.lots)
            wallet.changed.update(decision.lots)


async def load(session: asyncpg.Connection, members: set[MemberId], keys: set[BusinessKey]) -> Holdings:
    """Read the standings of `members`, the rows of `keys`, and the lots these rows name."""
    holdings = Holdings()
    await _load_standings(session, holdings, members)
    await _load_keys(session, holdings, keys)
    await _load_lots(session, holdings)
    return holdings


async def _load_standings(session: asyncpg.Connection, holdings: Holdings, members: set[MemberId]) -> None:
    # A member without a standing has no lots: there is nothing more to read.
    holdings.wallets = {member: Wallet(None, {}, set(), set(), whole=True) for member in members}
    for (of,), names in _grouped(members).items():
        for program, member, body in await session.fetch(QUERIES["standings"], of, names):
            standing = read_standing(body)
            wallet = holdings.wallets[MemberId(program, member)]
            wallet.standing = standing
            wallet.stored = True
            wallet.whole = standing.lots == 0


async def _load_keys(session: asyncpg.Connection, holdings: Holdings, keys: set[BusinessKey]) -> None:
    for group, ids in _grouped(keys).items():
        rows = map(read_key, await session.fetch(QUERIES["keys"], *group, ids))
        holdings.keys.update((row.key, row) for row in rows)
    holdings.keys_read = set(holdings.keys)


async def _load_lots(session: asyncpg.Connection, holdings: Holdings) -> None:
    # A row owned by another member names lots of theirs: its decision ends before it would look at them.
    wanted = [
        (row.key.program, row.member, lot)
        for row in holdings.keys.values()
        if (row.key.program, row.member) in holdings.wallets
        for lot in row.lots
    ]
    if wanted:
        for row in await session.fetch(QUERIES["lots"], *_columns(wanted, 3)):
            wallet = holdings.wallets[MemberId(row[0], row[1])]
            wallet.lots[row[2]] = read_lot(row)
            wallet.read.add(row[2])
            wallet.whole = wallet.whole or len(wallet.read) == (wallet.standing.lots if wallet.standing else 0)


async def load_spendable(session: asyncpg.Connection, member: MemberId, wallet: Wallet) -> None:
    """Read more of a member's spendable lots, in the order of consumption. What is known here counts over what is read.

    The caller may ask until the wallet is `whole`.
    """
    wallet.asked = wallet.asked * 4 or LOTS_FIRST
    rows = await session.fetch(QUERIES["spendable_lots"], *member, wallet.asked)
    for row in rows:
        if row[2] not in wallet.lots:
            wallet.lots[row[2]] = read_lot(row)
            wallet.read.add(row[2])
    if len(rows) < wallet.asked:
        wallet.whole = True
        wallet.horizon = None
    else:
        last = rows[-1]
        wallet.horizon = SpendingOrder(last["expires_at"] is None, last["expires_at"], last["earned_at"], last["lot"])


def read_key(row: asyncpg.Record) -> KeyRow:
    """A row of keys, in the order of the query `keys`, as a value."""
    program, source, kind, name, member, lots, body = row
    return KeyRow(BusinessKey(program, source, kind, name), member, _book.decode(body), lots)


def read_lot(row: asyncpg.Record) -> Lot:
    """A row of lots, in the order of the query `lots`, as a value."""
    program, _, lot, source, kind, name, points, remaining, earned_at, available_at, expires_at = row
    return Lot(lot, BusinessKey(program, source, kind, name), points, remaining, earned_at, available_at, expires_at)


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
