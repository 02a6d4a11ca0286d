"""Bring a database to this code's schema: `python -m deploy.migrate` with `POSTGRES_DSN` set."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from services.projections.schema import schema
from shared import migrations

_ROOT = Path(__file__).resolve().parent.parent


def schemas() -> list[migrations.Schema]:
    """Every owner's part of the database, in the order in which they are made: roles and schemas come first."""
    return [
        migrations.Schema("deploy", _ROOT / "deploy" / "sql"),
        migrations.Schema("earning", _ROOT / "services" / "earning" / "sql" / "migrations"),
        schema(),
    ]


async def migrate(dsn: str) -> list[migrations.Migration]:
    """Apply what is missing or has changed; gives what was applied now (see `shared.migrations.migrate`)."""
    return await migrations.migrate(dsn, schemas())


def main() -> None:
    """Apply what is missing to the database of `POSTGRES_DSN`, and say what was done."""
    dsn = os.environ.get("POSTGRES_DSN")
    if not dsn:
        sys.exit("POSTGRES_DSN is not set. Say which database: POSTGRES_DSN=postgresql://user@host/database")
    applied = asyncio.run(migrate(dsn))
    for migration in applied:
        sys.stdout.write(f"applied {migration}\n")
    sys.stdout.write(f"{len(applied)} migrations applied\n" if applied else "nothing to do: the schema is up to date\n")


if __name__ == "__main__":
    main()
