"""Shard rows: all standings, rows of keys and lots of one shard, read and exchanged as a whole.

What asks the database here raises `asyncpg.PostgresError` or `OSError` where it is away.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import asyncpg

from services.earning.ledger.load import QUERIES, read_key, read_standing
from services.earning.ledger.save import (
    KEY_COLUMNS,
    LOT_COLUMNS,
    STANDING_COLUMNS,
    insert,
    key_row,
    lot_row,
    standing_row,
)
from services.earning.ledger.working_set import LoadedMember
from services.earning.state.standing import BusinessKey, KeyRow, Standing


class ShardRows(NamedTuple):
    """What the tables hold of a shard: standings by member, rows by key, and rows of lots by member and number."""

    standings: dict[tuple[str, str], Standing]
    keys: dict[BusinessKey, KeyRow]
    lots: dict[tuple[str, str, int], tuple[object, ...]]


async def read_shard(session: asyncpg.Connection, shard: int) -> ShardRows:
    """Everything that the tables hold of a shard."""
    standings = await session.fetch(QUERIES["standings_of_shard"], shard)
    keys = map(read_key, await session.fetch(QUERIES["keys_of_shard"], shard))
    lots = map(tuple, await session.fetch(QUERIES["lots_of_shard"], shard))
    return ShardRows(
        {(program, member): read_standing(body) for program, member, body in standings},
        {row.key: row for row in keys},
        {row[1:4]: row for row in lots},
    )


async def owners_in_shard(session: asyncpg.Connection, shard: int) -> dict[BusinessKey, str]:
    """Who owns each row of a shard, whatever format the rows are of."""
    rows = await session.fetch(QUERIES["keys_of_shard"], shard)
    return {BusinessKey(*row[:4]): row["member"] for row in rows}


def lot_rows(members: Iterable[LoadedMember]) -> dict[tuple[str, str, int], tuple[object, ...]]:
    """The lots of members as rows of their table, by member and number."""
    return {(*member.of, lot.lot): lot_row(member, lot) for member in members for lot in member.lots.values()}


async def exchange_shard(
    session: asyncpg.Connection, shard: int, members: Iterable[LoadedMember], keys: Iterable[KeyRow]
) -> None:
    """Put these in the place of everything that the tables hold of a shard."""
    known = [member for member in members if member.standing is not None]
    for table in ("standings", "keys", "lots"):
        await session.execute(QUERIES[f"delete_{table}"], shard)
    await insert(session, "standings", STANDING_COLUMNS, [standing_row(member) for member in known])
    await insert(session, "keys", KEY_COLUMNS, [key_row(row, shard) for row in keys])
    await insert(session, "lots", LOT_COLUMNS, list(lot_rows(known).values()))
