"""`tallystick dead-letters list|show|retry|discard|republish`: inputs that could not be decoded or decided."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Annotated

import asyncpg
import typer

from services.cli.connections import (
    Answer,
    Bootstrap,
    Dsn,
    Json,
    answered,
    bootstrap_or_local,
    dsn_or_local,
    kafka_producer,
    postgres,
)
from services.cli.console import err, out, print_json, print_table
from services.cli.members import instant
from services.earning.ledger import dead_letters as of_earning
from services.projections import dead_letters as of_projections
from shared.dead_letters import DeadLetterTable, RecordLocation, StoredDeadLetter
from shared.errors import ConfigurationError, TallystickError
from shared.reasons import MEANINGS, Reason

app = typer.Typer(help="Dead letters: list them, show one, give them again, discard them.", no_args_is_help=True)

WHY_LENGTH_MAX = 500
LIST = "`tallystick dead-letters list --all` shows all."


class DeadLetterError(TallystickError):
    """No dead letter is kept of a record; or it isn't open any more, or is none that can be given again.

    Attributes:
        place: where the record lies.
    """

    def __init__(self, place: RecordLocation, message: str, cure: str) -> None:
        super().__init__(message, cure=cure)
        self.place = place


ReasonOption = Annotated[str | None, typer.Option("--reason", "-r", help="Only those with this reason code.")]
AllOfReason = Annotated[str | None, typer.Option("--reason", "-r", help="All open ones with this reason code.")]
PlaceArgument = Annotated[str, typer.Argument(help="Where the record lies, as `list` has it: TOPIC/PARTITION/OFFSET.")]
PlaceArguments = Annotated[list[str] | None, typer.Argument(help="TOPIC/PARTITION/OFFSET, as `list` shows it.")]


OWNERS = {"earning": ("earning", of_earning.TABLE), "projections": ("projector", of_projections.TABLE)}
"""Service → its role, and its dead letters."""


def _answers(dsn: str, ask: Callable[[DeadLetterTable, asyncpg.Connection], Awaitable[Answer]]) -> Iterator[Answer]:
    """What each service's table answers, one after the other."""
    return (answered(dsn, role, partial(ask, table)) for role, table in OWNERS.values())


@app.command("list")
def list_(
    *,
    reason: ReasonOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that were given again or discarded.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The newest, at most so many.")] = 50,
    dsn: Dsn = "",
    as_json: Json = False,
) -> None:
    """List dead letters that are open, the newest first: where each lies, why, and what is wrong.

    With --all also those that were dealt with, and how: retried, or discarded and why.

    Example: `tallystick dead-letters list --reason unknown_program`
    """
    found = _answers(dsn, lambda table, session: table.listed(session, reason, every=every, limit=limit))
    rows = sorted(chain(*found), key=lambda row: row["recorded_at"], reverse=True)[:limit]
    if as_json:
        print_json(*(dict(row) | {"place": str(_location(row))} for row in rows))
        return
    if not rows:
        out().print("no dead letters")
        return
    columns = ("record", "reason", "what is wrong", "received", "state")
    print_table(f"{len(rows)} dead letters", columns, [_row(row) for row in rows])
    for code in sorted({row["reason"] for row in rows} & set(Reason)):
        meaning, cure = MEANINGS[Reason(code)]
        err().print(f"[bold]{code}[/]: {meaning} {cure}", soft_wrap=True)


def _row(row: asyncpg.Record) -> tuple[object, ...]:
    at = f" ({row['field']})" if row["field"] not in row["text"] else ""
    return (str(_location(row)), row["reason"], row["text"] + at, instant(row["received_at"]), _state(row))


def _location(row: asyncpg.Record) -> RecordLocation:
    return RecordLocation(row["topic"], row["partition"], row["offset"])


def _state(row: asyncpg.Record) -> str:
    """The state, since when, and why."""
    since = row["discarded_at"] or row["retried_at"]
    why = f": {row['discarded_why']}" if row["discarded_why"] else ""
    return " ".join(filter(None, (row["state"], instant(since)))) + why


@app.command()
def show(place: PlaceArgument, *, dsn: Dsn = "", as_json: Json = False) -> None:
    """Show one dead letter whole: its reason, its headers and its bytes as they came.

    Example: `tallystick dead-letters show commerce.orders/3/1204`
    """
    kept = _find(dsn_or_local(dsn), RecordLocation.parse(place))
    letter = kept.letter
    headers = {name: None if raw is None else raw.decode(errors="replace") for name, raw in letter.headers}
    value, key = (None if raw is None else raw.decode(errors="replace") for raw in (letter.value, letter.key))
    if as_json:
        told = {"place": place, "reason": letter.reason, "text": letter.text, "field": letter.field}
        record = {"received_at": letter.received_at, "key": key, "headers": headers, "value": value}
        done = {"retried_at": kept.retried_at, "discarded_at": kept.discarded_at, "discarded_why": kept.discarded_why}
        print_json({**told, **record, "state": kept.state, **done})
        return
    for name, content in (
        ("record", place),
        ("reason", letter.reason),
        ("what is wrong", letter.text),
        ("field", letter.field or "-"),
        ("set aside by", letter.service),
        ("received", letter.received_at.isoformat()),
        ("state", f"{kept.state}: {kept.discarded_why}" if kept.discarded_why else kept.state),
        ("key", "none" if key is None else key),
        ("headers", json.dumps(headers, ensure_ascii=False)),
    ):
        out().print(f"{name:>14}  {content}", markup=False, soft_wrap=True)
    out().print(value if value is not None else "(no value)", markup=False, soft_wrap=True)


def _find(dsn: str, place: RecordLocation) -> StoredDeadLetter:
    """The dead letter of a record.

    Raises:
        DeadLetterError: there is none.
    """
    for found in _answers(dsn, lambda table, session: table.find(session, place)):
        if found is not None:
            return found
    raise DeadLetterError(place, f"There is no dead letter of {place}.", LIST)


@app.command()
def retry(
    places: PlaceArguments = None,
    *,
    reason: AllOfReason = None,
    history: Annotated[bool, typer.Option("--history", help="With their own timestamps, as they arrived.")] = False,
    dsn: Dsn = "",
    bootstrap_servers: Bootstrap = "",
    as_json: Json = False,
) -> None:
    """Give dead letters again, once their cause is mended: the same bytes, key and headers, to the same partition.

    What was decided in the meantime is not decided twice: a fact keeps its identity. By default it arrives now.

    Example: `tallystick dead-letters retry --reason unknown_program`
    """
    wanted = _wanted(places, reason)
    where, database = bootstrap_or_local(bootstrap_servers), dsn_or_local(dsn)
    found = [_can_be_retried(_find(database, place)) for place in dict.fromkeys(wanted)]
    count = asyncio.run(_retry(where, database, found, reason, history=history))
    if as_json:
        print_json({"retried": count})
    else:
        out().print(f"gave {count:,} dead letters again; `tallystick status` shows what becomes of them")


async def _retry(
    bootstrap: str, dsn: str, letters: Sequence[StoredDeadLetter], reason: str | None, *, history: bool
) -> int:
    """Give these again, or all open ones of a reason; gives how many."""
    async with postgres(dsn, role="earning") as session, kafka_producer(bootstrap) as producer:
        if reason is not None:
            return await of_earning.retry_all(session, producer, reason, history=history)
        await of_earning.retry(session, producer, letters, history=history)
    return len(letters)


def _can_be_retried(stored: StoredDeadLetter) -> StoredDeadLetter:
    """The dead letter, where it can be given again.

    Raises:
        DeadLetterError: it can't.
    """
    if stored.letter.service != of_earning.SERVICE:
        message = f"{stored.location} is no fact: somebody else wrote it to the points topic."
        cure = "Find out who; then `tallystick dead-letters discard` it."
        raise DeadLetterError(stored.location, message, cure)
    if stored.discarded_at is not None:
        raise _discarded(stored, "If it should count after all, have its publisher publish it again.")
    return stored


def _discarded(stored: StoredDeadLetter, cure: str) -> DeadLetterError:
    message = f"{stored.location} was discarded at {stored.discarded_at:%Y-%m-%d %H:%M}: {stored.discarded_why}."
    return DeadLetterError(stored.location, message, cure)


@app.command()
def discard(
    places: PlaceArguments = None,
    *,
    why: Annotated[str, typer.Option("--why", "-w", help="Why nothing comes of them; no personal data.")],
    reason: AllOfReason = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --reason: don't ask.")] = False,
    dsn: Dsn = "",
    as_json: Json = False,
) -> None:
    """Note that nothing is to come of dead letters, and why: they stay as they are, and are not listed as open.

    The counts of `status` don't change by it: an input that became a dead letter stays one.

    Example: `tallystick dead-letters discard --reason not_json --why "a load test of the web shop"`
    """
    wanted = _wanted(places, reason)
    if not why.strip() or len(why) > WHY_LENGTH_MAX or "\x00" in why:
        raise ConfigurationError(
            "--why doesn't say why.", cure=f"Say it in a few words, at most {WHY_LENGTH_MAX} characters."
        )
    count = _discard(dsn, wanted, why) if reason is None else _discard_all(dsn, reason, why, yes=yes)
    if as_json:
        print_json({"discarded": count})
    else:
        out().print(f"discarded {count:,} dead letters; `tallystick dead-letters list --all` still shows them")


def _discard_all(dsn: str, reason: str, why: str, *, yes: bool) -> int:
    """Discard all of a reason that are open now, by the database's clock, once somebody has seen how many.

    Raises:
        ConfigurationError: nobody is there to ask.
    """
    at = answered(dsn, "earning", of_earning.now)
    number = sum(_answers(dsn, lambda table, session: table.count_open(session, reason, at)))
    if number and not yes:
        if not sys.stdin.isatty():
            message = f"{number:,} dead letters with the reason {reason} would be discarded."
            raise ConfigurationError(message, cure="Add --yes, if that is what you want.")
        typer.confirm(f"Discard {number:,} dead letters with the reason {reason}?", abort=True, err=True)
    return sum(_answers(dsn, lambda table, session: table.discard_all(session, reason, at, why)))


def _discard(dsn: str, places: Sequence[RecordLocation], why: str) -> int:
    """Note that nothing comes of these; gives how many.

    Raises:
        DeadLetterError: one is unknown, or not open any more; then none was noted.
    """
    found = [_can_be_discarded(_find(dsn, place)) for place in dict.fromkeys(places)]
    for stored in found:
        role, table = OWNERS[stored.letter.service]
        answered(dsn, role, partial(table.discard, stored=stored, why=why))
    return len(found)


def _can_be_discarded(stored: StoredDeadLetter) -> StoredDeadLetter:
    if stored.discarded_at is not None:
        raise _discarded(stored, LIST)
    if stored.retried_at is not None:
        message = f"{stored.location} was given again at {stored.retried_at:%Y-%m-%d %H:%M}."
        cure = "If it failed again, it has a new dead letter: discard that one."
        raise DeadLetterError(stored.location, message, cure)
    return stored


def _wanted(places: Sequence[str] | None, reason: str | None) -> list[RecordLocation]:
    """The places that were named; none where a reason was.

    Raises:
        ConfigurationError: both, neither, or what is no place.
    """
    if bool(places) == bool(reason):
        raise ConfigurationError(
            "Say which: either places, or --reason.", cure="`tallystick dead-letters list` has both."
        )
    return [RecordLocation.parse(place) for place in places or ()]


@app.command()
def republish(*, dsn: Dsn = "", as_json: Json = False) -> None:
    """Put every dead letter on the dead-letter topic again, because that has lost them; the services do it.

    Whoever reads the topic gets copies, with the same headers.

    Example: `tallystick dead-letters republish`
    """
    count = sum(_answers(dsn, lambda table, session: table.republish(session)))
    if as_json:
        print_json({"republished": count})
    else:
        out().print(f"{count:,} dead letters wait to be published again; `tallystick status` shows how many still do")
