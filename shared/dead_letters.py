"""Dead letters: an input that can't be decoded or decided, with its original bytes, why, and where it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import asyncpg
import msgspec

from shared.broker import Outgoing
from shared.errors import ConfigurationError, PermanentError
from shared.postgres import Queries

PREFIX = "dead-letter-"
"""Before the name of each header that we add."""

_SAID = ("reason", "text", "field", "service", "topic", "partition", "offset")
"""What headers of ours say beside the timestamp, each by its field's name."""

ORIGINAL = "original-"
"""Before the name of each header that the input came with."""

TEXT_LENGTH_MAX = 1_000


Headers = tuple[tuple[str, bytes | None], ...]

_encode_headers = msgspec.msgpack.encode
_decode_headers: Callable[[bytes], Headers] = msgspec.msgpack.Decoder(Headers).decode


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An input set aside: the record as it came, and a stable `reason` with words and the field at fault.

    `received_at` is the record's timestamp (aware); `service` the one that set it aside. The texts are clean: no NUL,
    so that Postgres takes them, and at most 1,000 characters. Key, value and headers are untouched.
    """

    service: str
    topic: str
    partition: int
    offset: int
    reason: str
    text: str
    field: str = ""
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    received_at: datetime

    @classmethod
    def of(cls, error: PermanentError, *, service: str, record: Any, received_at: datetime) -> DeadLetter:  # noqa: ANN401 (aiokafka's record, or anything with its fields)
        """The dead letter of a record (topic, partition, offset, key, value, headers) that failed with `error`."""
        return cls(
            reason=str(error.reason),
            text=_clean(str(error)),
            field=_clean(error.field),
            service=service,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            received_at=received_at,
            key=record.key,
            value=record.value,
            headers=tuple(record.headers),
        )

    def to_row(self) -> tuple[Any, ...]:
        """Its values in the order of `COLUMNS`."""
        fields = msgspec.structs.asdict(self) | {"headers": _encode_headers(self.headers)}
        return tuple(fields[name] for name in COLUMNS)

    @classmethod
    def from_row(cls, row: Iterable[Any], *, service: str) -> DeadLetter:
        """What `to_row` gave, read back, for the service whose table it is."""
        fields = dict(zip(COLUMNS, row, strict=True))
        headers = _decode_headers(fields.pop("headers"))
        return cls(**fields, headers=headers, service=service)

    def to_record(self) -> Outgoing:
        """The record for the dead-letter topic: original key and value; why, where from and original headers beside."""
        ours = {name: str(getattr(self, name)) for name in _SAID}
        ours["timestamp"] = self.received_at.astimezone(UTC).isoformat(timespec="milliseconds")
        added = [(PREFIX + name, text.encode(errors="backslashreplace")) for name, text in ours.items()]
        return Outgoing(self.key, self.value, [*added, *((ORIGINAL + name, raw) for name, raw in self.headers)])


COLUMNS = tuple(name for name in DeadLetter.__struct_fields__ if name != "service")
"""The columns of both services' tables that make a dead letter; headers are MessagePack."""


class RecordLocation(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> RecordLocation:
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


class StoredDeadLetter(NamedTuple):
    """A dead letter in its service's table, in which of its partition's logs it lay, and what was done about it."""

    letter: DeadLetter
    log: int
    retried_at: datetime | None
    discarded_at: datetime | None
    discarded_why: str | None

    @classmethod
    def from_row(cls, row: Iterable[Any], *, service: str) -> StoredDeadLetter:
        """A row of `COLUMNS`, log, retried_at, discarded_at and discarded_why."""
        values = tuple(row)
        return cls(DeadLetter.from_row(values[: len(COLUMNS)], service=service), *values[len(COLUMNS) :])

    @property
    def location(self) -> RecordLocation:
        """Where the record lies."""
        return RecordLocation(self.letter.topic, self.letter.partition, self.letter.offset)

    @property
    def state(self) -> str:
        """`open`, `retried` or `discarded`."""
        if self.discarded_at is not None:
            return "discarded"
        return "open" if self.retried_at is None else "retried"


class DeadLetterTable:
    """What an operator asks and does about the dead letters of one service; its `dead_letters.sql` has the statements.

    Each method takes a session of the service's role.
    """

    def __init__(self, queries: Queries, service: str) -> None:
        self._queries = queries
        self._service = service

    async def listed(
        self, session: asyncpg.Connection, reason: str | None, *, every: bool, limit: int
    ) -> list[asyncpg.Record]:
        """The newest, at most so many: the open ones, or `every` one."""
        rows: list[asyncpg.Record] = await session.fetch(self._queries["list"], reason, every, limit)
        return rows

    async def counts(self, session: asyncpg.Connection) -> list[asyncpg.Record]:
        """By reason: how many there are, not relayed, retried, discarded; those with the most open ones first."""
        rows: list[asyncpg.Record] = await session.fetch(self._queries["counts"])
        return rows

    async def find(self, session: asyncpg.Connection, location: RecordLocation) -> StoredDeadLetter | None:
        """The dead letter of a record, if there is one."""
        row = await session.fetchrow(self._queries["find"], *location)
        return None if row is None else StoredDeadLetter.from_row(row, service=self._service)

    async def discard(self, session: asyncpg.Connection, stored: StoredDeadLetter, why: str) -> None:
        """Note that nothing comes of it, if it is open."""
        await session.execute(self._queries["discard"], *stored.location, stored.log, why)

    async def count_open(self, session: asyncpg.Connection, reason: str, at: datetime) -> int:
        """The open ones of a reason that were recorded until then, by the database's clock."""
        count: int = await session.fetchval(self._queries["count_open"], reason, at)
        return count

    async def discard_all(self, session: asyncpg.Connection, reason: str, at: datetime, why: str) -> int:
        """Note that nothing comes of the open ones of a reason that were recorded until then; gives how many."""
        count: int = await session.fetchval(self._queries["discard_all"], reason, at, why)
        return count

    async def republish(self, session: asyncpg.Connection) -> int:
        """Have every one put on the dead-letter topic again; gives how many."""
        count: int = await session.fetchval(self._queries["republish"])
        return count


def _clean(text: str) -> str:
    """Words that every store and terminal takes: no NUL, no half surrogate pair, at most 1,000 characters."""
    return text.replace("\x00", "\\x00").encode(errors="backslashreplace").decode()[:TEXT_LENGTH_MAX]
