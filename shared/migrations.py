"""Migrations: SQL files applied once each, in order; and repeatable ones, applied again whenever their text changes."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import asyncpg

from shared.errors import ConfigurationError
from shared.postgres import LONG_WORK_SETTINGS, Queries, connect

_QUERIES = Queries(Path(__file__).parent / "sql" / "migrations.sql")


@dataclass(frozen=True)
class Migration:
    """One file: whose it is, its name, its text."""

    owner: str
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


async def nothing(_session: asyncpg.Connection) -> None:
    """Prepare nothing."""


async def as_it_is(_session: asyncpg.Connection, repeatable: Migration) -> str:
    """The text of the file."""
    return repeatable.text


@dataclass(frozen=True)
class Schema:
    """One owner's part of the database.

    `migrations` is the directory of their files; an applied one never changes. `repeatables` are views and functions,
    each after those that it uses. They are applied as `role` (none: as the one who migrates), after `prepare` has made
    what they stand on. `fit` gives the text that is to be applied just now; it may be empty.
    """

    owner: str
    migrations: Path
    repeatables: Sequence[Migration] = ()
    role: str = ""
    prepare: Callable[[asyncpg.Connection], Awaitable[None]] = nothing
    fit: Callable[[asyncpg.Connection, Migration], Awaitable[str]] = as_it_is

    @property
    def files(self) -> list[Migration]:
        """Every migration, in the order in which they are applied."""
        found = sorted(self.migrations.glob("*.sql"))
        return [Migration(self.owner, file.name, file.read_text("utf-8")) for file in found]


class _Missing(NamedTuple):
    """What of an owner's schema the database lacks: migrations, and repeatables in their present text."""

    once: list[Migration]
    again: list[Migration]


Applied = dict[tuple[str, str], asyncpg.Record]


async def migrate(dsn: str, schemas: Sequence[Schema]) -> list[Migration]:
    """Bring the database to this code's schema; gives what was applied now.

    All of an owner's is applied in one transaction. The DSN's user must be allowed to create roles and schemas.

    Raises:
        ConfigurationError: an applied migration has changed, or the database is newer than this code.
    """
    session = await connect(dsn, application="tallystick-migrate", settings=LONG_WORK_SETTINGS)
    try:
        await session.execute(_QUERIES["lock"])  # one migration at a time
        await session.execute(_QUERIES["create_applied"])
        applied = await _applied(session)
        lacking = [(schema, _missing(applied, schema)) for schema in schemas]
        for schema, missing in lacking:
            async with session.transaction():
                await _bring(session, schema, missing)
        return [migration for _, missing in lacking for migration in (*missing.once, *missing.again)]
    finally:
        await session.close()


async def _applied(session: asyncpg.Connection) -> Applied:
    return {(row["owner"], row["name"]): row for row in await session.fetch(_QUERIES["applied"])}


def _missing(applied: Applied, schema: Schema) -> _Missing:
    ours = {name: row for (owner, name), row in applied.items() if owner == schema.owner}
    here = {migration.name: migration for migration in schema.files}
    newer = sorted(name for name, row in ours.items() if not row["repeats"] and name not in here)
    if newer:
        raise ConfigurationError(
            f"The database is newer than this code: it has {_named(schema.owner, newer)}.",
            cure="Deploy the newer code.",
        )
    changed = sorted(name for name in here.keys() & ours.keys() if ours[name]["checksum"] != here[name].checksum)
    if changed:
        raise ConfigurationError(
            f"Applied migrations have changed: {_named(schema.owner, changed)}.",
            cure="Restore the files; write a further one instead.",
        )
    return _Missing(
        [migration for name, migration in here.items() if name not in ours],
        [one for one in schema.repeatables if one.name not in ours or ours[one.name]["checksum"] != one.checksum],
    )


def _named(owner: str, names: Sequence[str]) -> str:
    return ", ".join(f"{owner}/{name}" for name in names)


async def _bring(session: asyncpg.Connection, schema: Schema, missing: _Missing) -> None:
    for migration in missing.once:
        await session.execute(migration.text)
        await _record(session, migration, repeats=False)
    if schema.role:
        await session.execute(f"SET LOCAL ROLE {schema.role}")
    await schema.prepare(session)
    for repeatable in missing.again:
        if text := await schema.fit(session, repeatable):
            await session.execute(text)
    await session.execute("RESET ROLE")
    for repeatable in missing.again:
        await _record(session, repeatable, repeats=True)


async def _record(session: asyncpg.Connection, migration: Migration, *, repeats: bool) -> None:
    await session.execute(_QUERIES["record"], migration.owner, migration.name, migration.checksum, repeats)


async def check(dsn: str, schemas: Sequence[Schema]) -> None:
    """Refuse to start on a schema that is older or newer than this code.

    Raises:
        ConfigurationError: what is missing, or too new, and what to do.
    """
    session = await connect(dsn, application="tallystick-check")
    try:
        applied = await _applied(session)
    except asyncpg.UndefinedTableError:
        applied = {}
    finally:
        await session.close()
    lacking = [migration for schema in schemas for part in _missing(applied, schema) for migration in part]
    if lacking:
        raise ConfigurationError(
            f"The database is older than this code: {', '.join(f'{m.owner}/{m.name}' for m in lacking)} missing.",
            cure="Run `python -m deploy.migrate`.",
        )
