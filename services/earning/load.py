"""Load: the standings, rows and lots that a batch's decisions read, and what they have changed of them so far."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import asyncpg
import msgspec

from services.earning.books import Book
from services.earning.decide.decision import Decision
from services.earning.standing import BusinessKey, KeyRow, Lot, Rows, SpendingOrder, Standing
from shared.postgres import Queries
from shared.shards import shard_of

QUERIES = Queries(Path(__file__).parent / "sql" / "earn.sql")

LOTS_FIRST = 64
"""Spendable lots read when a decision first asks for them; each further time four times as many."""

read_standing = msgspec.msgpack.Decoder(Standing).decode
"""The body of a standing as a value."""

_book: msgspec.msgpack.Decoder[Book] = msgspec.msgpack.Decoder(Book)


class Wallet(msgspec.Struct, kw_only=True):
    """What is known here of one member: their standing as of now, and those of their lots that were read or made.

    `stored`: the standing is in its table. `read` lots are in theirs; the others are new. Every spendable lot up to
    `horizon` is known; `whole`: all are.
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


class Holdings:
    """The working set of one transaction: read once, changed by decisions, then saved."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self.wallets: dict[tuple[str, str], Wallet] = {}
        self.keys: dict[BusinessKey, KeyRow] = {}
        self.keys_read: frozenset[BusinessKey] = frozenset()
        self.keys_changed: dict[BusinessKey, int] = {}

    def wallet(self, program: str, member: str) -> Wallet:
        """A member's wallet. Until something is loaded it is that of a member nobody has heard of: all is known."""
        wallet = self.wallets.get((program, member))
        if wallet is None:
            shard = shard_of(program, member, self._shards)
            wallet = self.wallets[program, member] = Wallet(program=program, member=member, shard=shard)
        return wallet

    def rows_for(self, wallet: Wallet, keys: Iterable[BusinessKey]) -> Rows:
        """What a decision for a member may see: the rows of `keys`, and the member's lots known so far."""
        rows = {}
        for key in keys:
            row = self.keys.get(key)
            if row is not None:
                rows[key] = row
        return Rows(rows, wallet.lots, wallet.horizon, wallet.whole)

    def apply(self, wallet: Wallet, decision: Decision) -> None:
        """Take over what a member's decision has changed."""
        if decision.standing is not wallet.standing:
            wallet.standing = decision.standing
            wallet.touched = True
        for key, row in decision.keys.items():
            self.keys[key] = row
            self.keys_changed[key] = wallet.shard
        for number, lot in decision.lots.items():
            wallet.lots[number] = lot
            wallet.changed.add(number)


async def load(session: asyncpg.Connection, holdings: Holdings, keys: set[BusinessKey]) -> None:
    """Read the standings of the wallets, the rows of `keys`, and the lots these rows name."""
    await _load_standings(session, holdings)
    await _load_keys(session, holdings, keys)
    await _load_lots(session, holdings)


async def _load_standings(session: asyncpg.Connection, holdings: Holdings) -> None:
    for (of,), names in _grouped(holdings.wallets).items():
        for program, member, body in await session.fetch(QUERIES["standings"], of, names):
            standing = read_standing(body)
            wallet = holdings.wallets[program, member]
            wallet.standing = standing
            wallet.stored = True
            wallet.whole = standing.lots == 0


async def _load_keys(session: asyncpg.Connection, holdings: Holdings, keys: set[BusinessKey]) -> None:
    for group, ids in _grouped(keys).items():
        rows = map(read_key, await session.fetch(QUERIES["keys"], *group, ids))
        holdings.keys.update((row.key, row) for row in rows)
    holdings.keys_read = frozenset(holdings.keys)


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
            wallet = holdings.wallets[row[0], row[1]]
            wallet.lots[row[2]] = read_lot(row)
            wallet.read.add(row[2])
            wallet.whole = wallet.whole or len(wallet.read) == (wallet.standing.lots if wallet.standing else 0)


async def load_spendable(session: asyncpg.Connection, wallet: Wallet) -> None:
    """Read more of a member's spendable lots, in the order of consumption. What is known here counts over what is read.

    The caller may ask until the wallet is `whole`.
    """
    wallet.asked = wallet.asked * 4 or LOTS_FIRST
    rows = await session.fetch(QUERIES["spendable_lots"], wallet.program, wallet.member, wallet.asked)
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
