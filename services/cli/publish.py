"""`tallystick publish`: a file of facts into the topics, live or as history."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import publishing
from services.cli.connections import Bootstrap, Dsn, Json, bootstrap_or_local, dsn_or_local, kafka
from services.cli.console import err, out, print_json
from services.cli.fact_files import Survey, survey
from services.cli.progress import board
from shared.topics import Topics

File = Annotated[Path, typer.Argument(help="JSON lines: one CloudEvent a line.", exists=True, dir_okay=False)]
History = Annotated[
    bool,
    typer.Option(
        "--history",
        help="Publish with the facts' own timestamps (`receivedat` where a fact has it, else its time): a year of "
        "history goes through the same pipeline as live facts. Topics must keep records that old.",
    ),
]
FixRetention = Annotated[
    bool,
    typer.Option("--fix-retention", help="With --history: let topics keep old records where they would delete them."),
]


def publish(
    file: File,
    *,
    history: History = False,
    fix_retention: FixRetention = False,
    bootstrap_servers: Bootstrap = "",
    dsn: Dsn = "",
    as_json: Json = False,
) -> None:
    """Publish facts: each to its type's topic, with key `program/member`, to the partition Kafka's own clients choose.

    The whole file is read first: where a line is no fact, nothing is published, and the error names file and line.
    Publishing a file twice does no harm: earning takes the second for what it is. With --history no points of its
    programs end, or become available, by the mere passing of time before all of it is decided.

    Example: `tallystick publish facts.jsonl --history --fix-retention`
    """
    where = bootstrap_or_local(bootstrap_servers)
    with board(err()) as progress, kafka(where):
        reading = progress.bar("read")
        found = survey(file, Topics(), reading.to)
        reading.to(found.facts, total=found.facts)
        sizes = asyncio.run(publishing.partitions(where, found))
        changed: list[str] = []
        if history:
            changed = asyncio.run(publishing.prepare_history(where, found, fix_retention=fix_retention))
        sending = progress.bar("published", found.facts)
        sends = publishing.publish(where, file, sizes, history=history, progress=sending.to)
        if history and found.facts:
            sends = _held(sends, dsn_or_local(dsn), where, found, sizes)
        count = asyncio.run(sends)
    if as_json:
        print_json({"published": count, "topics": dict(found.by_topic), "retention_changed": changed})
        return
    for topic in changed:
        err().print(f"{topic} now keeps records for ever (retention.ms=-1)")
    parts = ", ".join(f"{number:,} to {topic}" for topic, number in sorted(found.by_topic.items()))
    out().print(f"published {count:,} facts" + (f": {parts}" if parts else ""))


async def _held(
    sends: Coroutine[Any, Any, int], dsn: str, bootstrap_servers: str, found: Survey, sizes: dict[str, int]
) -> int:
    """Publish while the sweeps of the facts' programs wait."""
    async with publishing.sweeps_held(dsn, bootstrap_servers, sorted(found.programs), sizes):
        return await sends
