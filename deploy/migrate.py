"""Bring a database to this code's schema: `python -m deploy.migrate` with `POSTGRES_DSN` set."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from shared import migrations

_ROOT = Path(__file__).resolve().parent.parent
DIRECTORIES = {
    "deploy": _ROOT / "deploy" / "sql",
    "earning": _ROOT / "services" / "earning" / "sql" / "migrations",
    "projections": _ROOT / "services" / "projections" / "sql" / "migrations",
}
"""Whose migrations lie where; those of `deploy` (roles and schemas) come first."""


async def migrate(dsn: str) -> list[migrations.Migration]:
    """Apply every migration that is missing; gives what was applied now (see `shared.migrations.migrate`)."""
    return await migrations.migrate(dsn, DIRECTORIES)


def main() -> None:
    """Apply what is missing to the database of `POSTGRES_DSN`, and say what was done."""
    dsn = os.environ.get("POSTGRES_DSN")
    if not dsn:
        sys.exit("POSTGRES_DSN is not set. Say which database: POSTGRES_DSN=postgresql://user@host/database")
    applied = asyncio.run(migrate(dsn))
    for migration in applied:
        sys.stdout.write(f"applied {migration.owner}/{migration.name}\n")
    sys.stdout.write(f"{len(applied)} migrations applied\n" if applied else "nothing to do: the schema is up to date\n")


if __name__ == "__main__":
    main()
