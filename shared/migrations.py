"""Migrations: plain SQL files, applied once each, in order, a transaction each; and the check at a service's start."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from shared.errors import ConfigurationError
from shared.postgres import LONG_WORK_SETTINGS, connect

Directories = Mapping[str, Path]
"""Owner → the directory of their `.sql` files, in the order in which owners are migrated."""

_LEDGER = """
CREATE SCHEMA IF NOT EXISTS migrations;
CREATE TABLE IF NOT EXISTS migrations.applied (
    owner text NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner, name)
);
GRANT USAGE ON SCHEMA migrations TO PUBLIC;
GRANT SELECT ON migrations.applied TO PUBLIC;
"""
_LOCK = "SELECT pg_advisory_lock(7411000)"  # one migration at a time


@dataclass(frozen=True)
class Migration:
    """One file: whose it is, its name, its text."""

    owner: str
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text: an applied file never changes."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def known(directories: Directories) -> list[Migration]:
    """Every migration of this code, in the order in which they are applied."""
    return [
        Migration(owner, file.name, file.read_text("utf-8"))
        for owner, directory in directories.items()
        for file in sorted(directory.glob("*.sql"))
    ]


async def migrate(dsn: str, directories: Directories) -> list[Migration]:
    """Bring the database to this code's schema; gives what was applied now.

    The DSN's user must be allowed to create roles and schemas.

    Raises:
        ConfigurationError: an applied file has changed, or the database is newer than this code.
    """
    session = await connect(dsn, application="tallystick-migrate", settings=LONG_WORK_SETTINGS)
    try:
        await session.execute(_LOCK)
        await session.execute(_LEDGER)
        missing = await _missing(session, directories)
        for migration in missing:
            await _apply(session, migration)
        return missing
    finally:
        await session.close()


async def _missing(session: asyncpg.Connection, directories: Directories) -> list[Migration]:
    applied = {(row["owner"], row["name"]): row["checksum"] for row in await session.fetch("TABLE migrations.applied")}
    here = {(migration.owner, migration.name): migration for migration in known(directories)}
    newer = sorted(f"{owner}/{name}" for owner, name in applied.keys() - here.keys() if owner in directories)
    if newer:
        raise ConfigurationError(
            f"The database is newer than this code: it has {', '.join(newer)}.", cure="Deploy the newer code."
        )
    changed = sorted(f"{o}/{n}" for (o, n), m in here.items() if applied.get((o, n), m.checksum) != m.checksum)
    if changed:
        raise ConfigurationError(
            f"Applied migrations have changed: {', '.join(changed)}.",
            cure="Restore the files; write a further one instead.",
        )
    return [migration for key, migration in here.items() if key not in applied]


async def _apply(session: asyncpg.Connection, migration: Migration) -> None:
    async with session.transaction():
        await session.execute(migration.text)
        await session.execute(
            "INSERT INTO migrations.applied (owner, name, checksum) VALUES ($1, $2, $3)",
            migration.owner,
            migration.name,
            migration.checksum,
        )


async def check(dsn: str, directories: Directories) -> None:
    """Refuse to start on a schema that is older or newer than this code.

    Raises:
        ConfigurationError: what is missing, or too new, and what to do.
    """
    session = await connect(dsn, application="tallystick-check")
    try:
        missing = [f"{m.owner}/{m.name}" for m in await _missing(session, directories)]
    except asyncpg.UndefinedTableError:
        missing = [f"{m.owner}/{m.name}" for m in known(directories)]
    finally:
        await session.close()
    if missing:
        raise ConfigurationError(
            f"The database is older than this code: {', '.join(missing)} missing.",
            cure="Run `python -m deploy.migrate`.",
        )
