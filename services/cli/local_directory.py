"""Places: the directory of a local installation, and the number of shards that commands work with."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from deploy.topics import SHARDS
from services.cli.connections import DIRECTORY_VARIABLE
from shared.errors import ConfigurationError

LOCAL_SHARDS = 8
"""Shards of a local installation, where nothing else is said: enough for two workers on one machine."""

Directory = Annotated[
    Path,
    typer.Option(
        "--directory",
        "-d",
        envvar=DIRECTORY_VARIABLE,
        help="Where the local installation keeps data, logs and pid files.",
    ),
]


def shards_of(directory: Path) -> int:
    """The number of shards: `POINTS_PARTITIONS`, else what the local installation was made with, else 64.

    Raises:
        ConfigurationError: `POINTS_PARTITIONS` isn't a number of partitions.
    """
    if given := os.environ.get("POINTS_PARTITIONS"):
        if not given.isdigit() or int(given) < 1:
            raise ConfigurationError(f"POINTS_PARTITIONS is {given!r}.", cure="Set it to a whole number, 1 or more.")
        return int(given)
    remembered = directory / "installation.json"
    if remembered.exists():
        return int(json.loads(remembered.read_text("utf-8"))["shards"])
    return SHARDS


def remember(directory: Path, shards: int) -> None:
    """Note the number of shards of the local installation, for the commands that come after."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "installation.json").write_text(json.dumps({"shards": shards}) + "\n", "utf-8")
