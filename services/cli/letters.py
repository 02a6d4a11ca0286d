"""Dead letters as the operator deals with them: found by place or by reason, given again, discarded, told anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg
from aiokafka import AIOKafkaProducer

from services.cli.servers import kafka_producer, postgres
from services.earning.dead_letters import read
from shared import broker
from shared.broker import Outgoing
from shared.dead_letters import COLUMNS, DeadLetter
from shared.errors import ConfigurationError, TallystickError
from shared.postgres import Queries

_QUERIES = Queries(Path(__file__).parent / "sql" / "dead_letters.sql")
_RETRIED_AT_ONCE = 500

LIST = "`tallystick dead-letters list --all` shows all."


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
        super().__init__(f"There is no dead letter of {place}.", cure=LIST)
        self.place = place


class DealtWithError(TallystickError):
    """A dead letter isn't open any more, or is none that can be given again.

    Attributes:
        place: where the record lies.
    """

    def __init__(self, place: Place, what: str, cure: str) -> None:
        super().__init__(f"{place} {what}.", cure=cure)
        self.place = place


class Kept(NamedTuple):
    """A dead letter, in which of its partition's logs it lay, and what was done about it."""

    letter: DeadLetter
    log: int
    retried_at: datetime | None
    discarded_at: datetime | None
    discarded_why: str | None

    @property
    def place(self) -> Place:
        """Where the record lies."""
        return Place(self.letter.topic, self.letter.partition, self.letter.offset)

    @property
    def state(self) -> str:
        """`open`, `retried` or `discarded`."""
        if self.discarded_at is not None:
            return "discarded"
        return "open" if self.retried_at is None else "retried"


async def listed(dsn: str, reason: str | None, *, every: bool, limit: int) -> list[asyncpg.Record]:
    """The newest dead letters of both services, at most so many: the open ones, or `every` one."""
    async with postgres(dsn, role="earning") as session:
        rows: list[asyncpg.Record] = await session.fetch(_QUERIES["list"], reason, every, limit)
    async with postgres(dsn, role="projector") as session:
        rows += await session.fetch(_QUERIES["list_foreign"], reason, every, limit)
    return sorted(rows, key=lambda row: row["recorded_at"], reverse=True)[:limit]


async def find(dsn: str, place: Place) -> Kept:
    """The dead letter of a record.

    Raises:
        NoDeadLetterError: there is none.
    """
    async with postgres(dsn, role="earning") as session:
        if (row := await session.fetchrow(_QUERIES["get"], *place)) is not None:
            return _earnings(row)
    async with postgres(dsn, role="projector") as session:
        if (row := await session.fetchrow(_QUERIES["get_foreign"], *place)) is not None:
            return _foreign(row)
    raise NoDeadLetterError(place)


def _earnings(row: asyncpg.Record) -> Kept:
    done = (row["log"], row["retried_at"], row["discarded_at"], row["discarded_why"])
    return Kept(read(row[: len(COLUMNS)]), *done)


def _foreign(row: asyncpg.Record) -> Kept:
    letter = DeadLetter.from_row(row[: len(COLUMNS)], service="projections")
    return Kept(letter, 0, None, row["discarded_at"], row["discarded_why"])


async def retry(bootstrap: str, dsn: str, places: Sequence[Place], *, history: bool) -> int:
    """Give records again; gives how many.

    Raises:
        NoDeadLetterError, DealtWithError: one can't be; then none was.
    """
    found = [_can_be_retried(await find(dsn, place)) for place in dict.fromkeys(places)]
    async with postgres(dsn, role="earning") as session, kafka_producer(bootstrap) as producer:
        await _give_again(producer, session, [(kept.letter, kept.log) for kept in found], history=history)
    return len(found)


def _can_be_retried(kept: Kept) -> Kept:
    if kept.letter.service != "earning":
        what = "is no fact: somebody else wrote it to the points topic"
        raise DealtWithError(kept.place, what, cure="Find out who; then `tallystick dead-letters discard` it.")
    if kept.discarded_at is not None:
        raise _discarded(kept, "If it should count after all, have its publisher publish it again.")
    return kept


def _discarded(kept: Kept, cure: str) -> DealtWithError:
    return DealtWithError(
        kept.place, f"was discarded at {kept.discarded_at:%Y-%m-%d %H:%M}: {kept.discarded_why}", cure
    )


async def retry_all(bootstrap: str, dsn: str, reason: str, *, history: bool) -> int:
    """Give all open ones of a reason again; what fails again meanwhile is for another time. Gives how many."""
    count = 0
    async with postgres(dsn, role="earning") as session, kafka_producer(bootstrap) as producer:
        begun = await session.fetchval(_QUERIES["now"])
        while rows := await session.fetch(_QUERIES["to_retry"], reason, begun, _RETRIED_AT_ONCE):
            await _give_again(producer, session, [(read(row[:-1]), row["log"]) for row in rows], history=history)
            count += len(rows)
    return count


async def _give_again(
    producer: AIOKafkaProducer,
    session: asyncpg.Connection,
    letters: Sequence[tuple[DeadLetter, int]],
    *,
    history: bool,
) -> None:
    """Publish the letters' original records, then note that they were; a failure in between gives some twice."""
    records: dict[str, dict[int, list[Outgoing]]] = defaultdict(lambda: defaultdict(list))
    for letter, _ in letters:
        timestamp_ms = int(letter.received_at.timestamp() * 1000) if history else None
        record = Outgoing(letter.key, letter.value, letter.headers, timestamp_ms)
        records[letter.topic][letter.partition].append(record)
    for topic, partitions in records.items():
        await broker.publish(producer, topic, partitions)
    places = zip(*((letter.topic, letter.partition, letter.offset, log) for letter, log in letters), strict=True)
    await session.execute(_QUERIES["mark_retried"], *map(list, places))


async def discard(dsn: str, places: Sequence[Place], why: str) -> int:
    """Note that nothing comes of these; gives how many.

    Raises:
        NoDeadLetterError, DealtWithError: one is unknown, or not open any more; then none was noted.
    """
    found = [_can_be_discarded(await find(dsn, place)) for place in dict.fromkeys(places)]
    for kept in found:
        foreign = kept.letter.service != "earning"
        async with postgres(dsn, role="projector" if foreign else "earning") as session:
            if foreign:
                await session.execute(_QUERIES["discard_foreign"], *kept.place, why)
            else:
                await session.execute(_QUERIES["discard"], *kept.place, kept.log, why)
    return len(found)


def _can_be_discarded(kept: Kept) -> Kept:
    if kept.discarded_at is not None:
        raise _discarded(kept, LIST)
    if kept.retried_at is not None:
        what = f"was given again at {kept.retried_at:%Y-%m-%d %H:%M}"
        raise DealtWithError(kept.place, what, cure="If it failed again, it has a new dead letter: discard that one.")
    return kept


class Open(NamedTuple):
    """Open dead letters of a reason, as they were at an instant of the database's clock."""

    reason: str
    at: datetime
    earning: int
    projections: int

    @property
    def number(self) -> int:
        """How many."""
        return self.earning + self.projections


async def count_open(dsn: str, reason: str) -> Open:
    """The open dead letters of a reason now."""
    async with postgres(dsn, role="earning") as session:
        at = await session.fetchval(_QUERIES["now"])
        earning = await session.fetchval(_QUERIES["count_open"], reason, at)
    async with postgres(dsn, role="projector") as session:
        return Open(reason, at, earning, await session.fetchval(_QUERIES["count_open_foreign"], reason, at))


async def discard_all(dsn: str, which: Open, why: str) -> int:
    """Note that nothing comes of those that were counted, as far as they still are open; gives how many."""
    async with postgres(dsn, role="earning") as session:
        count: int = await session.fetchval(_QUERIES["discard_all"], which.reason, which.at, why)
    async with postgres(dsn, role="projector") as session:
        count += await session.fetchval(_QUERIES["discard_all_foreign"], which.reason, which.at, why)
    return count


async def republish(dsn: str) -> int:
    """Have both services put every dead letter on their topic again; gives how many."""
    async with postgres(dsn, role="earning") as session:
        count: int = await session.fetchval(_QUERIES["republish"])
    async with postgres(dsn, role="projector") as session:
        count += await session.fetchval(_QUERIES["republish_foreign"])
    return count
