"""The whole schema of each service in one file, written from what the migrations come to: `make schema`."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.local_stack import LocalStack
from deploy.local_stack.postgres import program_path
from deploy.migrate import migrate

SERVICES = Path(__file__).resolve().parent.parent / "services"
OWNED = {"earning": ("earning",), "projections": ("projections", "loyalty")}
"""Service → the schemas that are its own."""

_HEAD = """-- The whole schema of {service}, as the migrations and repeatable files beside this one come to.
-- Written by `make schema`; nothing is made from it, it is for reading. A test holds it to what is true.
"""
# What pg_dump says of itself and of the session that would read it back.
_NOISE = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)\n", re.MULTILINE)


def file_of(service: str) -> Path:
    """Where a service's schema is written down."""
    return SERVICES / service / "sql" / "schema.sql"


def schema_of(dsn: str, service: str) -> str:
    """A service's part of a migrated database, as SQL in a settled order.

    Raises:
        subprocess.CalledProcessError: the database can't be read.
    """
    schemas = [f"--schema={name}" for name in OWNED[service]]
    command = [program_path("pg_dump"), "--schema-only", "--no-owner", *schemas, dsn]
    dumped = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    statements = re.sub(r"\n{2,}", "\n\n", _NOISE.sub("", dumped)).strip()
    return f"{_HEAD.format(service=service)}\n{statements}\n"


def main() -> None:
    """Migrate an empty database on a server of its own, and write down what came of it."""
    with tempfile.TemporaryDirectory() as directory:
        stack = LocalStack(Path(directory) / "stack", kafka=False)
        dsn = stack.up().dsn
        try:
            asyncio.run(migrate(dsn))
            for service in OWNED:
                file_of(service).write_text(schema_of(dsn, service), "utf-8")
                sys.stdout.write(f"{file_of(service).relative_to(SERVICES.parent)}\n")
        finally:
            stack.down(throw_away=True)


if __name__ == "__main__":
    main()
