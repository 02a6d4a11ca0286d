"""`tallystick up` and `tallystick down`: a whole installation on this machine, without Docker."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from services.cli.connections import DIRECTORY, LOCAL_SHARDS, REMEMBERED, Directory, shards_of
from services.cli.console import err, out

ShardsOption = Annotated[
    int | None,
    typer.Option(
        "--shards",
        min=1,
        max=4096,
        help="Partitions of the points topic and of every input; fixed for the installation's life. "
        f"Default: POINTS_PARTITIONS, else {LOCAL_SHARDS}.",
        show_default=False,
    ),
]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, max=16, help="Processes of each service.")]


def up(*, directory: Directory = DIRECTORY, shards: ShardsOption = None, workers: WorkersOption = 1) -> None:
    """Start Kafka, PostgreSQL and both services here, and wait until they are ready.

    What runs already is left alone, so it can be given again. Data, logs and pid files are kept in the directory.
    Servers named by KAFKA_BOOTSTRAP_SERVERS and POSTGRES_DSN are used instead of own ones.

    Example: `tallystick up`, then `tallystick program publish FILE`, `tallystick publish FACTS`, `tallystick status`
    """
    from services.cli.installation import Installation  # noqa: PLC0415 (only here are the local servers' packages needed)

    known = (directory / REMEMBERED).exists()
    count = shards or (shards_of(directory) if known else LOCAL_SHARDS)
    installation = Installation(directory, workers=workers)
    console = err()
    with console.status("starting"):
        endpoints = installation.up(count, partial(console.print, soft_wrap=True))
    out().print(f"KAFKA_BOOTSTRAP_SERVERS={endpoints.bootstrap_servers}", soft_wrap=True)
    out().print(f"POSTGRES_DSN={endpoints.dsn}", soft_wrap=True)


def down(
    *,
    directory: Directory = DIRECTORY,
    throw_away: Annotated[bool, typer.Option("--throw-away", help="Delete all data too.")] = False,
) -> None:
    """Stop both services, then Kafka and PostgreSQL. Data stays for the next `tallystick up`, unless thrown away.

    Example: `tallystick down --throw-away`
    """
    from services.cli.installation import Installation  # noqa: PLC0415 (as above)

    console = err()
    Installation(directory, workers=16).down(console.print, throw_away=throw_away)
