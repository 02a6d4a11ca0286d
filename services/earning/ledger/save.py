"""Save: what decisions have changed goes back to the tables: new rows by COPY, changed ones by a statement a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from services.earning.ledger.load import QUERIES
from services.earning.ledger.working_set import LoadedMember, WorkingSet
from services.earning.source_events.facts import LoggedFact
from services.earning.state.standing import KeyRow, Lot

STANDING_COLUMNS = ("shard", "program", "member", "next_due", "body")
KEY_COLUMNS = ("shard", "program", "source", "kind", "id", "member", "lots", "body")
INBOX_COLUMNS = ("shard", "program", "member", "fact")
LOT_COLUMNS = (
    "shard", "program", "member", "lot", "source", "kind", "id", "points", "remaining",
    "earned_at", "available_at", "expires_at", "due", "body",
)  # fmt: skip

encode = msgspec.msgpack.Encoder().encode


async def save(session: asyncpg.Connection, working_set: WorkingSet) -> None:
    """Write every standing, key row and lot that has changed since it was loaded, and messages to their inboxes."""
    touched = [member for member in working_set.members.values() if member.touched]
    await _save_standings(session, touched)
    await _save_keys(session, working_set)
    await _save_lots(session, touched)
    messages = [(shard, one.program, one.member, encode(LoggedFact.of(one))) for shard, one in working_set.messages]
    await insert(session, "inbox", INBOX_COLUMNS, messages)


async def _save_standings(session: asyncpg.Connection, touched: Sequence[LoadedMember]) -> None:
    new = [standing_row(member) for member in touched if not member.stored]
    changed = [standing_row(member)[1:] for member in touched if member.stored]
    await insert(session, "standings", STANDING_COLUMNS, new)
    await _update(session, "update_standings", changed)


async def _save_keys(session: asyncpg.Connection, working_set: WorkingSet) -> None:
    new: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    for key, shard in working_set.keys_changed.items():
        row = working_set.keys[key]
        if key in working_set.keys_read:
            changed.append((*key, shard, row.member, "{" + ",".join(map(str, row.lots)) + "}", encode(row.book)))
        else:
            new.append(key_row(row, shard))
    await insert(session, "keys", KEY_COLUMNS, new)
    await _update(session, "update_keys", changed)


async def _save_lots(session: asyncpg.Connection, touched: Sequence[LoadedMember]) -> None:
    new: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    for member in touched:
        for number in member.changed:
            lot = member.lots[number]
            if number in member.read:
                of = (member.program, member.member, number)
                times = (lot.available_at, lot.expires_at, lot.due)
                changed.append((*of, lot.points, lot.remaining, *times, encode(lot)))
            else:
                new.append(lot_row(member, lot))
    await insert(session, "lots", LOT_COLUMNS, new)
    await _update(session, "update_lots", changed)


def standing_row(member: LoadedMember) -> tuple[Any, ...]:
    """A standing as a row of its table."""
    standing = member.standing
    next_due = standing.next_due if standing else None
    return member.shard, member.program, member.member, next_due, encode(standing)


def key_row(row: KeyRow, shard: int) -> tuple[Any, ...]:
    """A business key as a row of its table."""
    return shard, *row.key, row.member, row.lots, encode(row.book)


def lot_row(member: LoadedMember, lot: Lot) -> tuple[Any, ...]:
    """A lot as a row of its table."""
    _, source, kind, name = lot.key
    return (
        member.shard, member.program, member.member, lot.lot, source, kind, name,
        lot.points, lot.remaining, lot.earned_at, lot.available_at, lot.expires_at, lot.due, encode(lot),
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
