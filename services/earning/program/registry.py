"""The registry: every version of every program in Postgres, published once each, read by every transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec
from pydantic import ValidationError

from services.earning.program.compile import compile_versions
from services.earning.program.document import Document
from services.earning.program.terms import Versions
from shared.errors import ConfigurationError, TallystickError
from shared.postgres import Queries

QUERIES = Queries(Path(__file__).parent.parent / "sql" / "programs.sql")

NOTICE = timedelta(seconds=60)
"""A later version takes force this long after its publication at the earliest: every worker has read it by then."""

EVENT_TYPE = "loyalty.program.published.v1"
EVENT_SOURCE = "tallystick/earning"

NONE = Versions(())
"""The versions of a program that nobody has published."""


class Published(NamedTuple):
    """A version as the registry holds it."""

    program: str
    version: int
    document: str
    checksum: str
    published_at: datetime
    in_force_from: datetime
    relayed_at: datetime | None

    def read(self) -> Document:
        """Its document.

        Raises:
            ConfigurationError: another version of this code wrote it, and this one can't read it.
        """
        try:
            return Document.model_validate_json(self.document)
        except ValidationError as error:
            raise ConfigurationError(
                f"Version {self.version} of program {self.program} can't be read by this code: {error}",
                cure="Deploy the code that published it, or newer.",
            ) from error


class Publication(NamedTuple):
    """What came of publishing: the version that stands, whether it is new, and those that now never take force."""

    published: Published
    new: bool
    superseded: tuple[int, ...] = ()


class UnknownProgramError(TallystickError):
    """No version of this program was ever published."""

    def __init__(self, program: str) -> None:
        super().__init__(f"No program is called {program}.", cure="`tallystick program list` names those there are.")
        self.program = program


class Record(NamedTuple):
    """A version as a record of the programs topic."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


Send = Callable[[Record], Awaitable[None]]
"""Sends a record and returns when all replicas have it."""


async def publish(connection: asyncpg.Connection, document: Document) -> Publication:
    """Publish a document as its program's next version; the one that stands, where it says the same.

    A first version is in force from its `effective_from`, which may reach back; a later one from then or from
    `NOTICE` after now, whichever comes last. Begins and ends its own transaction.
    """
    async with connection.transaction():
        serial = 1 + await connection.fetchval(QUERIES["lock"])
        newest = await _newest(connection, document.program)
        if newest is not None and newest.read() == document:
            return Publication(newest, new=False)
        published = _next(document, newest, await connection.fetchval(QUERIES["now"]))
        await connection.execute(QUERIES["insert"], *published[:-1], serial)
        await connection.execute(QUERIES["move_serial"], serial)
        earlier = await versions_of(connection, document.program) if newest is not None else ()
    superseded = tuple(
        one.version
        for one in earlier
        if one.version < published.version and one.in_force_from >= published.in_force_from
    )
    return Publication(published, new=True, superseded=superseded)


def _next(document: Document, newest: Published | None, published_at: datetime) -> Published:
    text = document.canonical()
    effective = document.effective_from.astimezone(UTC)
    earliest = effective if newest is None else max(effective, published_at + NOTICE)
    return Published(
        program=document.program,
        version=1 if newest is None else newest.version + 1,
        document=text,
        checksum=hashlib.sha256(text.encode()).hexdigest(),
        published_at=published_at,
        in_force_from=earliest,
        relayed_at=None,
    )


async def _newest(connection: asyncpg.Connection, program: str) -> Published | None:
    row = await connection.fetchrow(QUERIES["newest"], program)
    return None if row is None else Published(*row)


async def versions_of(connection: asyncpg.Connection, program: str) -> tuple[Published, ...]:
    """All versions of a program, the oldest first; none where it was never published."""
    return tuple(Published(*row) for row in await connection.fetch(QUERIES["versions"], [program]))


async def version_of(connection: asyncpg.Connection, program: str, version: int | None = None) -> Published:
    """A version of a program; without a number the newest.

    Raises:
        UnknownProgramError: there is none.
    """
    for published in reversed(await versions_of(connection, program)):
        if version in (None, published.version):
            return published
    raise UnknownProgramError(program if version is None else f"{program} with a version {version}")


async def list_all(connection: asyncpg.Connection) -> tuple[Published, ...]:
    """Every version of every program, by name and number."""
    return tuple(Published(*row) for row in await connection.fetch(QUERIES["list"]))


async def relay(connection: asyncpg.Connection, send: Send) -> tuple[Published, ...]:
    """Send what the programs topic does not have yet, in order of publication; gives what was sent.

    A version is marked once its record is acknowledged: a crash between the two sends it again, the same bytes under
    the same id. Begins and ends its own transaction.
    """
    async with connection.transaction():
        waiting = [Published(*row) for row in await connection.fetch(QUERIES["not_relayed"])]
        for published in waiting:
            await send(record(published))
            await connection.execute(QUERIES["mark_relayed"], published.program, published.version)
    return tuple(waiting)


def record(published: Published) -> Record:
    """A version as a CloudEvent in structured mode, keyed by its program."""
    event = {
        "specversion": "1.0",
        "id": f"{published.program}/{published.version}",
        "source": EVENT_SOURCE,
        "type": EVENT_TYPE,
        "subject": published.program,
        "time": published.published_at,
        "datacontenttype": "application/json",
        "partitionkey": published.program,
        "data": {
            "program": published.program,
            "version": published.version,
            "in_force_from": published.in_force_from,
            "published_at": published.published_at,
            "checksum": published.checksum,
            "document": msgspec.Raw(published.document.encode()),
        },
    }
    headers = (("content-type", b"application/cloudevents+json; charset=utf-8"), ("type", EVENT_TYPE.encode()))
    return Record(published.program.encode(), msgspec.json.encode(event), headers)


class _Told(msgspec.Struct):
    """What a record of the programs topic says of a version, its document byte for byte."""

    program: str
    version: int
    in_force_from: datetime
    published_at: datetime
    checksum: str
    document: msgspec.Raw


class _Event(msgspec.Struct):
    data: _Told


_event = msgspec.json.Decoder(_Event).decode


async def restore(connection: asyncpg.Connection, values: Iterable[bytes]) -> list[Published]:
    """Put back what the programs topic tells and the registry lacks, in the topic's order; gives that.

    Begins and ends its own transaction.

    Raises:
        ConfigurationError: the two have different documents under one version.
    """
    async with connection.transaction():
        serial = await connection.fetchval(QUERIES["lock"])
        known = {(one.program, one.version): one.checksum for one in await list_all(connection)}
        missing = []
        for told in (_event(value).data for value in values):
            if (told.program, told.version) not in known:
                missing.append(_published(told))
            elif known[told.program, told.version] != told.checksum:
                raise ConfigurationError(
                    f"Version {told.version} of program {told.program} is another in its topic than in the registry.",
                    cure="Delete the registry's row, start earning, then publish its document again, as a further one.",
                )
            known[told.program, told.version] = told.checksum
        for at, published in enumerate(missing, start=serial + 1):
            await connection.execute(QUERIES["insert"], *published[:-1], at)
            await connection.execute(QUERIES["mark_relayed"], published.program, published.version)
        await connection.execute(QUERIES["move_serial"], serial + len(missing))
    return missing


async def lost(connection: asyncpg.Connection, values: Iterable[bytes]) -> list[Published]:
    """Versions that were on the programs topic and are not among its values any more, by name and number."""
    told = {(data.program, data.version) for data in (_event(value).data for value in values)}
    return [
        one
        for one in await list_all(connection)
        if one.relayed_at is not None and (one.program, one.version) not in told
    ]


def _published(told: _Told) -> Published:
    document = bytes(told.document).decode()
    return Published(
        told.program, told.version, document, told.checksum, told.published_at, told.in_force_from, relayed_at=None
    )


class ProgramCache:
    """Compiled programs of one worker: read again only when the registry's serial has moved."""

    def __init__(self) -> None:
        self._serial = -1
        self._known: dict[str, Versions] = {}

    async def load(self, connection: asyncpg.Connection, programs: Iterable[str]) -> Mapping[str, Versions]:
        """The versions of each program, in the caller's transaction; `NONE` for one that was never published.

        One small statement where nothing has changed. Call it once a transaction: all of its facts are then decided
        by one state of the registry.

        Raises:
            ConfigurationError: a stored version can't be read by this code.
        """
        serial = await connection.fetchval(QUERIES["serial"])
        if serial != self._serial:
            self._known = {}
            self._serial = serial
        wanted = set(programs)
        missing = sorted(wanted - self._known.keys())
        if missing:
            self._known |= await load(connection, missing)
        return {program: self._known.get(program, NONE) for program in wanted}


async def load(connection: asyncpg.Connection, programs: Iterable[str]) -> dict[str, Versions]:
    """The compiled versions of those of the programs that were published.

    Raises:
        ConfigurationError: a stored version can't be read by this code.
    """
    rows = [Published(*row) for row in await connection.fetch(QUERIES["versions"], list(programs))]
    return {
        program: compile_versions([(published.read(), published.in_force_from) for published in versions])
        for program, versions in groupby(rows, key=lambda published: published.program)
    }
