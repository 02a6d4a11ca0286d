"""`tallystick program`: start a document, check it, publish it, list and show what is published, compare two."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown

from deploy.programs import likes
from deploy.topics import partitions_of
from services.cli.connections import (
    Bootstrap,
    Dsn,
    Json,
    answered,
    bootstrap_or_local,
    dsn_or_local,
    kafka,
    kafka_producer,
    postgres,
)
from services.cli.console import Exit, err, out, print_json, print_table
from services.earning.program import registry
from services.earning.program.authoring.changes import EFFECTS, changes, tell
from services.earning.program.authoring.check import check as check_document
from services.earning.program.authoring.describe import describe
from services.earning.program.document import Document
from services.earning.program.problems import ProgramInvalidError
from services.earning.program.values import near
from services.earning.program.zones import zone
from shared.errors import ConfigurationError
from shared.topics import Topics

app = typer.Typer(no_args_is_help=True, help="Programs: new, check, publish, list, show, diff.")

File = Annotated[Path, typer.Argument(help="The program's document (YAML).", exists=True, dir_okay=False)]

_NAME = re.compile(r"^program: .*$", re.MULTILINE)
_BEGINS = re.compile(r"^effective_from: .*$", re.MULTILINE)


def read_document(file: Path) -> Document:
    """The checked document of a file.

    Raises:
        ProgramInvalidError: with every problem at its line.
    """
    return check_document(file.read_bytes(), str(file))


@app.command()
def check(file: File, *, as_json: Json = False) -> None:
    """Check a program's document: every problem at once, at its line, with the cure. Needs no servers.

    Example: `tallystick program check deploy/programs/grocer.yaml`
    """
    try:
        document = read_document(file)
    except ProgramInvalidError as error:
        if not as_json:
            raise
        for problem in error.problems:
            place = {"file": error.file, "line": problem.mark.line, "column": problem.mark.column}
            print_json(place | {"field": problem.field, "message": problem.message, "cure": problem.cure})
        raise typer.Exit(Exit.FINDING) from error
    if not as_json:
        rules, campaigns = len(document.rules), len(document.campaigns)
        levels = len(document.tiers.levels) if document.tiers else 0
        out().print(
            f"{file}: program {document.program} is valid ({rules} rules, {campaigns} campaigns, {levels} tiers)"
        )


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="The file to write; its name is the program's.", dir_okay=False)],
    *,
    like: Annotated[str, typer.Option(help=f"Which of the programs we ship to start from: {', '.join(likes())}.")],
) -> None:
    """Write a commented document to start from, in force from the start of today. Needs no servers.

    Example: `tallystick program new my-shop.yaml --like smile`
    """
    if file.exists():
        raise ConfigurationError(f"{file} is there already.", cure="Name a file that isn't, or delete it.")
    file.write_text(_started(like, file.stem), "utf-8")
    out().print(f"{file}: now change it, and run `tallystick program check {file}`")


def _started(like: str, name: str) -> str:
    """The document of a new program of that name, with its comments, in force from the start of today.

    Raises:
        ConfigurationError: there is none of that kind.
        ProgramInvalidError: the name can't be a program's.
    """
    files = likes()
    if like not in files:
        cure = near(like, files) or f"Name one of: {', '.join(files)}."
        raise ConfigurationError(f"There is no program like {like!r}.", cure=cure)
    text = files[like].read_text("utf-8")
    local = zone(read_document(files[like]).time_zone)
    begins = datetime.now(local).replace(hour=0, minute=0, second=0, microsecond=0).isoformat()
    text = _BEGINS.sub(f"effective_from: {begins}", _NAME.sub(f"program: {name}", text, count=1), count=1)
    check_document(text.encode(), f"{name}.yaml")
    return text


@app.command()
def publish(file: File, *, dsn: Dsn = "", bootstrap_servers: Bootstrap = "", as_json: Json = False) -> None:
    """Publish a document as the next version of its program, and send it to the programs topic.

    The same document again changes nothing, so a deployment can run this every time. A first version is in force from
    its `effective_from`, which may lie in the past; a later one from then or 60 s after its publication at the
    earliest.

    Example: `tallystick program publish deploy/programs/grocer.yaml`
    """
    document = read_document(file)
    publication = asyncio.run(_publish(document, dsn_or_local(dsn), bootstrap_or_local(bootstrap_servers)))
    published = publication.published
    if as_json:
        print_json(_row(published) | {"new": publication.new, "superseded": publication.superseded})
        return
    since = published.in_force_from.isoformat()
    if publication.new:
        out().print(f"published {published.program} version {published.version}, in force from {since}")
    else:
        out().print(f"{published.program} version {published.version} says the same already, in force from {since}")
    for version in publication.superseded:
        err().print(f"Note: version {version} will never be in force; this one takes its place.")


async def _publish(document: Document, dsn: str, bootstrap_servers: str) -> registry.Publication:
    topic = Topics().programs
    with kafka(bootstrap_servers):
        there = await partitions_of(bootstrap_servers, [topic])
    if topic not in there:
        raise ConfigurationError(f"There is no topic {topic}.", cure="Run `tallystick topics create` first.")
    async with kafka_producer(bootstrap_servers) as producer, postgres(dsn, role="earning") as connection:
        publication = await registry.publish(connection, document)

        async def send(record: registry.Record) -> None:
            await producer.send_and_wait(topic, record.value, key=record.key, headers=list(record.headers))

        await registry.relay(connection, send)
    return publication


@app.command("list")
def list_(*, dsn: Dsn = "", as_json: Json = False) -> None:
    """List every version of every program, with the instant from which it is in force.

    Example: `tallystick program list --json`
    """
    rows = answered(dsn, "earning", registry.list_all)
    if as_json:
        print_json(*map(_row, rows))
        return
    columns = ("program", "version", "in force from", "published", "on the topic")
    print_table("Programs", columns, [_table_row(published) for published in rows])


def _table_row(published: registry.Published) -> tuple[object, ...]:
    instants = _instant(published.in_force_from), _instant(published.published_at)
    return (published.program, published.version, *instants, _instant(published.relayed_at) or "not yet")


@app.command()
def show(
    program: Annotated[str, typer.Argument(help="A published program's name, or a document's file.")],
    *,
    version: Annotated[int | None, typer.Option(help="Which version; default: the newest.", min=1)] = None,
    dsn: Dsn = "",
    as_json: Json = False,
) -> None:
    """Show a program in plain words: what earns, what multiplies, which tiers there are.

    Examples: `tallystick program show grocer`, `tallystick program show deploy/programs/grocer.yaml`
    """
    document, title = _document(program, version, dsn)
    if as_json:
        print_json(document.model_dump(mode="json", by_alias=True, exclude_none=True))
        return
    out().print(Markdown(f"# {title}\n\n" + describe(document)))


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="A document's file, or a published program: NAME or NAME@VERSION.")],
    after: Annotated[str, typer.Argument(help="The same, for the one that comes later.")],
    *,
    dsn: Dsn = "",
    as_json: Json = False,
) -> None:
    """Say what changes for members between two documents of a program, and whom it reaches when.

    Examples: `tallystick program diff grocer new.yaml`, `tallystick program diff grocer@1 grocer@2`
    """
    (old, old_title), (new, new_title) = _compared(before, dsn), _compared(after, dsn)
    if old.program != new.program:
        message = f"{old.program} and {new.program} are two programs, not two versions of one."
        raise ConfigurationError(message, cure="Compare documents whose `program` is the same.")
    found = changes(old, new)
    if as_json:
        for change in found:
            print_json({"kind": change.kind, **change._asdict(), "effect": EFFECTS[change.section]})
        return
    out().print(Markdown(f"# {old_title} → {new_title}\n\n" + tell(found)))


def _compared(name: str, dsn: str) -> tuple[Document, str]:
    """A document by its file's name, or by NAME or NAME@VERSION."""
    program, _, version = name.partition("@")
    if Path(name).is_file() or not version:
        return _document(name, None, dsn)
    if not version.isdecimal():
        raise ConfigurationError(f"{version!r} is no version of {program}.", cure="Write it like `grocer@2`.")
    return _document(program, int(version), dsn)


def _document(program: str, version: int | None, dsn: str) -> tuple[Document, str]:
    file = Path(program)
    if file.is_file():
        document = read_document(file)
        return document, f"{document.program} ({file.name})"
    published = answered(dsn, "earning", lambda session: registry.version_of(session, program, version))
    return published.read(), f"{published.program}, version {published.version}"


def _row(published: registry.Published) -> dict[str, object]:
    names = ("program", "version", "in_force_from", "published_at", "relayed_at", "checksum")
    return {name: getattr(published, name) for name in names}


def _instant(instant: datetime | None) -> str:
    return "" if instant is None else instant.isoformat(sep=" ", timespec="seconds")
