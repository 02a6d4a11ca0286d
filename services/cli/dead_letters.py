"""`tallystick dead-letters list|show|retry`: inputs that could not be decoded or decided, and giving them again."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import asyncpg
import typer
from aiokafka import AIOKafkaProducer

from services.cli.console import err, out, print_json, print_table
from services.cli.members import instant
from services.cli.servers import Bootstrap, Dsn, Json, bootstrap_or_local, dsn_or_local, kafka_producer, postgres
from services.earning.dead_letters import read
from shared import broker
from shared.broker import Outgoing
from shared.dead_letters import DeadLetter
from shared.errors import ConfigurationError, TallystickError
from shared.postgres import Queries
from shared.reasons import MEANINGS, Reason

app = typer.Typer(help="Dead letters: list them, show one, give them again.", no_args_is_help=True)

_QUERIES = Queries(Path(__file__).parent / "sql" / "dead_letters.sql")
_RETRIED_AT_ONCE = 500

ReasonOption = Annotated[str | None, typer.Option("--reason", "-r", help="Only those with this reason code.")]
PlaceArgument = Annotated[str, typer.Argument(help="Where the record lies, as `list` has it: TOPIC/PARTITION/OFFSET.")]


class Place(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def read(cls, text: str) -> Place:
        """From `topic/partition/offset`.

        Raises:
            ConfigurationError: it isn't that.
        """
        topic, _, rest = text.partition("/")
        partition, _, offset = rest.partition("/")
        if not (topic and partition.isdigit() and offset.isdigit()):
            raise ConfigurationError(
                f"{text!r} is no place of a record.", cure="Give it as `list` shows it: commerce.orders/3/1204"
            )
        return cls(topic, int(partition), int(offset))

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class NoDeadLetterError(TallystickError):
    """No dead letter is kept of a record.

    Attributes:
        place: where the record lies.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(f"There is no dead letter of {place}.", cure="`tallystick dead-letters list` shows all.")
        self.place = place


@app.command("list")
def list_(
    *,
    reason: ReasonOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that were given again.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The newest, at most so many.")] = 50,
    dsn: Dsn = "",
    as_json: Json = False,
) -> None:
    """List dead letters, the newest first: where each lies, why, and what is wrong.

    Example: `tallystick dead-letters list --reason unknown_program`
    """
    rows = asyncio.run(_list(dsn_or_local(dsn), reason, every=every, limit=limit))
    if as_json:
        for row in rows:
            print_json(dict(row) | {"place": str(Place(row["topic"], row["partition"], row["offset"]))})
        return
    if not rows:
        out().print("no dead letters")
        return
    columns = ("record", "reason", "what is wrong", "received", "given again")
    print_table(f"{len(rows)} dead letters", columns, [_row(row) for row in rows])
    for code in sorted({row["reason"] for row in rows} & set(Reason)):
        meaning, cure = MEANINGS[Reason(code)]
        err().print(f"[bold]{code}[/]: {meaning} {cure}", soft_wrap=True)


def _row(row: asyncpg.Record) -> tuple[object, ...]:
    place = Place(row["topic"], row["partition"], row["offset"])
    at = f" ({row['field']})" if row["field"] not in row["text"] else ""
    return (str(place), row["reason"], row["text"] + at, instant(row["received_at"]), instant(row["retried_at"]))


async def _list(dsn: str, reason: str | None, *, every: bool, limit: int) -> list[asyncpg.Record]:
    async with postgres(dsn, role="earning") as session:
        rows: list[asyncpg.Record] = await session.fetch(_QUERIES["list"], reason, every, limit)
    async with postgres(dsn, role="projector") as session:
        rows += await session.fetch(_QUERIES["list_foreign"], reason, limit)
    return sorted(rows, key=lambda row: row["recorded_at"], reverse=True)[:limit]


@app.command()
def show(place: PlaceArgument, *, dsn: Dsn = "", as_json: Json = False) -> None:
    """Show one dead letter whole: its reason, its headers and its bytes as they came.

    Example: `tallystick dead-letters show commerce.orders/3/1204`
    """
    letter = asyncio.run(_get(dsn_or_local(dsn), Place.read(place)))
    headers = {name: None if raw is None else raw.decode(errors="replace") for name, raw in letter.headers}
    value, key = (None if raw is None else raw.decode(errors="replace") for raw in (letter.value, letter.key))
    if as_json:
        told = {"place": place, "reason": letter.reason, "text": letter.text, "field": letter.field}
        print_json(told | {"received_at": letter.received_at, "key": key, "headers": headers, "value": value})
        return
    for name, content in (
        ("record", place),
        ("reason", letter.reason),
        ("what is wrong", letter.text),
        ("field", letter.field or "-"),
        ("set aside by", letter.service),
        ("received", letter.received_at.isoformat()),
        ("key", "none" if key is None else key),
        ("headers", json.dumps(headers, ensure_ascii=False)),
    ):
        out().print(f"{name:>14}  {content}", markup=False, soft_wrap=True)
    out().print(value if value is not None else "(no value)", markup=False, soft_wrap=True)


async def _get(dsn: str, place: Place) -> DeadLetter:
    async with postgres(dsn, role="earning") as session:
        if row := await session.fetchrow(_QUERIES["get"], *place):
            return read(row)
    async with postgres(dsn, role="projector") as session:
        row = await session.fetchrow(_QUERIES["get_foreign"], *place)
    if row is None:
        raise NoDeadLetterError(place)
    headers = tuple((name, None if raw is None else bytes.fromhex(raw)) for name, raw in json.loads(row["headers"]))
    return DeadLetter(**(dict(row) | {"headers": headers, "service": "projections"}))


@app.command()
def retry(
    places: Annotated[list[str] | None, typer.Argument(help="TOPIC/PARTITION/OFFSET, as `list` shows it.")] = None,
    *,
    reason: Annotated[str | None, typer.Option("--reason", "-r", help="All with this reason, not retried yet.")] = None,
    history: Annotated[bool, typer.Option("--history", help="With their own timestamps, as they arrived.")] = False,
    dsn: Dsn = "",
    bootstrap_servers: Bootstrap = "",
    as_json: Json = False,
) -> None:
    """Give dead letters again, once their cause is mended: the same bytes, key and headers, to the same partition.

    What was decided in the meantime is not decided twice: a fact keeps its identity. By default it arrives now.

    Example: `tallystick dead-letters retry --reason unknown_program`
    """
    if bool(places) == bool(reason):
        raise ConfigurationError(
            "Say which: either places, or --reason.", cure="`tallystick dead-letters list` has both."
        )
    wanted = [Place.read(place) for place in places or ()]
    count = asyncio.run(
        _retry(bootstrap_or_local(bootstrap_servers), dsn_or_local(dsn), wanted, reason, history=history)
    )
    if as_json:
        print_json({"retried": count})
    else:
        out().print(f"gave {count:,} dead letters again; `tallystick status` shows what becomes of them")


async def _retry(bootstrap: str, dsn: str, places: Sequence[Place], reason: str | None, *, history: bool) -> int:
    async with postgres(dsn, role="earning") as session, kafka_producer(bootstrap) as producer:
        if reason is None:
            letters = [await _mine(session, place) for place in places]
            await _give_again(producer, session, letters, history=history)
            return len(letters)
        count, after = 0, Place("", -1, -1)
        begun = await session.fetchval(_QUERIES["now"])  # what fails again meanwhile is for another time
        while rows := await session.fetch(_QUERIES["to_retry"], reason, *after, begun, _RETRIED_AT_ONCE):
            letters = [read(row) for row in rows]
            await _give_again(producer, session, letters, history=history)
            count += len(letters)
            after = Place(letters[-1].topic, letters[-1].partition, letters[-1].offset)
        return count


async def _mine(session: asyncpg.Connection, place: Place) -> DeadLetter:
    row = await session.fetchrow(_QUERIES["get"], *place)
    if row is None:
        raise NoDeadLetterError(place)
    return read(row)


async def _give_again(
    producer: AIOKafkaProducer, session: asyncpg.Connection, letters: Sequence[DeadLetter], *, history: bool
) -> None:
    """Publish the letters' original records, then note that they were; a failure in between gives some twice."""
    records: dict[str, dict[int, list[Outgoing]]] = defaultdict(lambda: defaultdict(list))
    for letter in letters:
        timestamp_ms = int(letter.received_at.timestamp() * 1000) if history else None
        record = Outgoing(letter.key, letter.value, letter.headers, timestamp_ms)
        records[letter.topic][letter.partition].append(record)
    for topic, partitions in records.items():
        await broker.publish(producer, topic, partitions)
    places = zip(*((letter.topic, letter.partition, letter.offset) for letter in letters), strict=True)
    await session.execute(_QUERIES["mark_retried"], *map(list, places))
