"""Migrations: SQL files applied once each, in order; and repeatable ones, applied again whenever their text changes."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Schema:
    """One owner's part of the database.

    `migrations` is the directory of their files; an applied one never changes. `repeatables` are views and functions,
    each after those that it uses. They are applied as `role` (none: as the one who migrates), after `prepare` has made
    what they stand on. `fit` gives the text that is to be applied just now, if it isn't the file's; it may be empty.
    """

    owner: str
    migrations: Path
    repeatables: Sequence[Migration] = ()
    role: str = ""
    prepare: Callable[[asyncpg.Connection], Awaitable[None]] | None = None
    fit: Callable[[asyncpg.Connection, Migration], Awaitable[str]] | None = None

    @property
    def files(self) -> list[Migration]:
        """Every migration, in the order in which they are applied."""
        found = sorted(self.migrations.glob("*.sql"))
        return [Migration(self.owner, file.name, file.read_text("utf-8")) for file in found]


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
        return [migration for _, missing in lacking for migration in missing]
    finally:
        await session.close()


async def _applied(session: asyncpg.Connection) -> Applied:
    return {(row["owner"], row["name"]): row for row in await session.fetch(_QUERIES["applied"])}


def _missing(applied: Applied, schema: Schema) -> list[Migration]:
    """What of an owner's schema the database lacks: migrations, then repeatables in their present text."""
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
    present = {name: row["checksum"] for name, row in ours.items()}
    return [one for one in (*here.values(), *schema.repeatables) if present.get(one.name) != one.checksum]


def _named(owner: str, names: Sequence[str]) -> str:
    return ", ".join(f"{owner}/{name}" for name in names)


async def _bring(session: asyncpg.Connection, schema: Schema, missing: Sequence[Migration]) -> None:
    again = [one for one in missing if one in schema.repeatables]
    for migration in missing:
        if migration not in again:
            await session.execute(migration.text)
    if schema.role:
        await session.execute(f"SET LOCAL ROLE {schema.role}")
    if schema.prepare:
        await schema.prepare(session)
    for repeatable in again:
        text = await schema.fit(session, repeatable) if schema.fit else repeatable.text
        if text:
            await session.execute(text)
    await session.execute("RESET ROLE")
    for one in missing:
        await session.execute(_QUERIES["record"], one.owner, one.name, one.checksum, one in again)


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
    lacking = [migration for schema in schemas for migration in _missing(applied, schema)]
    if lacking:
        raise ConfigurationError(
            f"The database is older than this code: {', '.join(map(str, lacking))} missing.",
            cure="Run `python -m deploy.migrate`.",
        )
