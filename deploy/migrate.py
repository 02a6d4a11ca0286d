"""Migrations: plain SQL files, applied once each, in order, in one transaction a file. `python -m deploy.migrate`."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from shared.errors import ConfigurationError
from shared.postgres import LONG_WORK_SETTINGS, connect

_ROOT = Path(__file__).resolve().parent.parent
DIRECTORIES = {
    "deploy": _ROOT / "deploy" / "sql",
    "earning": _ROOT / "services" / "earning" / "sql" / "migrations",
    "projections": _ROOT / "services" / "projections" / "sql" / "migrations",
}
"""Whose migrations lie where; those of `deploy` (roles and schemas) come first."""

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


def known() -> list[Migration]:
    """Every migration of this code, in the order in which they are applied."""
    return [
        Migration(owner, file.name, file.read_text("utf-8"))
        for owner, directory in DIRECTORIES.items()
        for file in sorted(directory.glob("*.sql"))
    ]


async def migrate(dsn: str) -> list[Migration]:
    """Bring the database to this code's schema; gives what was applied now.

    The DSN's user must be allowed to create roles and schemas.

    Raises:
        ConfigurationError: an applied file has changed, or the database is newer than this code.
    """
    session = await connect(dsn, application="tallystick-migrate", settings=LONG_WORK_SETTINGS)
    try:
        await session.execute(_LOCK)
        await session.execute(_LEDGER)
        return [migration for migration in await _missing(session) if await _apply(session, migration)]
    finally:
        await session.close()


async def _missing(session: asyncpg.Connection) -> list[Migration]:
    applied = {(row["owner"], row["name"]): row["checksum"] for row in await session.fetch("TABLE migrations.applied")}
    here = {(migration.owner, migration.name): migration for migration in known()}
    newer = sorted(f"{owner}/{name}" for owner, name in applied.keys() - here.keys())
    if newer:
        raise ConfigurationError(
            f"The database is newer than this code: it has {', '.join(newer)}.", cure="Deploy the newer code."
        )
    changed = sorted(f"{o}/{n}" for (o, n), migration in here.items() if applied.get((o, n), migration.checksum) != migration.checksum)
    if changed:
        raise ConfigurationError(
            f"Applied migrations have changed: {', '.join(changed)}.", cure="Restore the files; write a further one instead."
        )
    return [migration for key, migration in here.items() if key not in applied]


async def _apply(session: asyncpg.Connection, migration: Migration) -> bool:
    async with session.transaction():
        await session.execute(migration.text)
        await session.execute(
            "INSERT INTO migrations.applied (owner, name, checksum) VALUES ($1, $2, $3)",
            migration.owner,
            migration.name,
            migration.checksum,
        )
    return True


async def check(dsn: str) -> None:
    """Refuse to start on a schema that is older or newer than this code.

    Raises:
        ConfigurationError: what is missing, or too new, and what to do.
    """
    session = await connect(dsn, application="tallystick-check")
    try:
        missing = [f"{m.owner}/{m.name}" for m in await _missing(session)]
    except asyncpg.UndefinedTableError:
        missing = [f"{m.owner}/{m.name}" for m in known()]
    finally:
        await session.close()
    if missing:
        raise ConfigurationError(
            f"The database is older than this code: {', '.join(missing)} missing.", cure="Run `python -m deploy.migrate`."
        )


def main() -> None:
    """Apply what is missing to the database of `POSTGRES_DSN`, and say what was done."""
    dsn = os.environ.get("POSTGRES_DSN")
    if not dsn:
        sys.exit("POSTGRES_DSN is not set. Say which database: POSTGRES_DSN=postgresql://user@host/database")
    applied = asyncio.run(migrate(dsn))
    for migration in applied:
        print(f"applied {migration.owner}/{migration.name}")
    print(f"{len(applied)} migrations applied" if applied else "nothing to do: the schema is up to date")


if __name__ == "__main__":
    main()
