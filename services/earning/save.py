"""Save: what decisions have changed goes back to the tables: new rows by COPY, changed ones by a statement a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from services.earning.load import QUERIES, Holdings, MemberId, Wallet
from services.earning.standing import KeyRow, Lot
from shared.shards import shard_of

STANDING_COLUMNS = ("shard", "program", "member", "next_due", "body")
KEY_COLUMNS = ("shard", "program", "source", "kind", "id", "member", "lots", "body")
LOT_COLUMNS = (
    "shard", "program", "member", "lot", "source", "kind", "id", "points", "remaining",
    "earned_at", "available_at", "expires_at",
)  # fmt: skip

encode = msgspec.msgpack.Encoder().encode


async def save(session: asyncpg.Connection, holdings: Holdings, shards: int) -> None:
    """Write every standing, key row and lot that has changed since it was loaded."""
    await _save_standings(session, holdings, shards)
    await _save_keys(session, holdings, shards)
    await _save_lots(session, holdings, shards)


async def _save_standings(session: asyncpg.Connection, holdings: Holdings, shards: int) -> None:
    touched = [(member, wallet) for member, wallet in holdings.wallets.items() if wallet.touched]
    new = [standing_row(member, wallet, shards) for member, wallet in touched if not wallet.stored]
    changed = [standing_row(member, wallet, shards)[1:] for member, wallet in touched if wallet.stored]
    await insert(session, "standings", STANDING_COLUMNS, new)
    await _update(session, "update_standings", changed)


async def _save_keys(session: asyncpg.Connection, holdings: Holdings, shards: int) -> None:
    rows = [holdings.keys[key] for key in holdings.keys_changed]
    read = holdings.keys_read
    await insert(session, "keys", KEY_COLUMNS, [key_row(row, shards) for row in rows if row.key not in read])
    await _update(
        session,
        "update_keys",
        [(*row.key, "{" + ",".join(map(str, row.lots)) + "}", encode(row.book)) for row in rows if row.key in read],
    )


async def _save_lots(session: asyncpg.Connection, holdings: Holdings, shards: int) -> None:
    new: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    for member, wallet in holdings.wallets.items():
        for number in wallet.changed:
            lot = wallet.lots[number]
            if number in wallet.read:
                changed.append((*member, number, lot.points, lot.remaining, lot.available_at, lot.expires_at))
            else:
                new.append(lot_row(member, lot, shards))
    await insert(session, "lots", LOT_COLUMNS, new)
    await _update(session, "update_lots", changed)


def standing_row(member: MemberId, wallet: Wallet, shards: int) -> tuple[Any, ...]:
    """A standing as a row of its table."""
    standing = wallet.standing
    next_due = standing.next_due if standing else None
    return shard_of(*member, shards), *member, next_due, encode(standing)


def key_row(row: KeyRow, shards: int) -> tuple[Any, ...]:
    """A business key as a row of its table."""
    return shard_of(row.key.program, row.member, shards), *row.key, row.member, row.lots, encode(row.book)


def lot_row(member: MemberId, lot: Lot, shards: int) -> tuple[Any, ...]:
    """A lot as a row of its table."""
    return (
        shard_of(*member, shards), *member, lot.lot, lot.key.source, lot.key.kind, lot.key.id,
        lot.points, lot.remaining, lot.earned_at, lot.available_at, lot.expires_at,
    )  # fmt: skip


async def insert(
    session: asyncpg.Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """COPY new rows into a table of earning's; one that is there already is a data error."""
    if rows:
        await session.copy_records_to_table(table, schema_name="earning", columns=columns, records=rows)


async def _update(session: asyncpg.Connection, query: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        await session.execute(QUERIES[query], *zip(*rows, strict=True))
