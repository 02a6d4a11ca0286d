"""Where the command finds Kafka, Postgres and the local installation, and what it says when a server is away."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import typer
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from deploy.topics import SHARDS
from shared import broker
from shared.errors import ConfigurationError, TransientError
from shared.postgres import LONG_WORK_SETTINGS, connect

if TYPE_CHECKING:
    from deploy.local_stack import Endpoints

Answer = TypeVar("Answer")

POSTGRES_VARIABLE = "POSTGRES_DSN"
KAFKA_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
DIRECTORY_VARIABLE = "TALLYSTICK_DIRECTORY"
DIRECTORY = Path(".tallystick")
"""Where `tallystick up` keeps the servers it started, unless `TALLYSTICK_DIRECTORY` names another place."""

LOCAL_SHARDS = 8
"""Shards of a local installation, where nothing else is said: enough for two workers on one machine."""

REMEMBERED = "installation.json"
"""In the directory of a local installation: what it was made with."""

Dsn = Annotated[
    str,
    typer.Option(
        "--dsn",
        envvar=POSTGRES_VARIABLE,
        help="Postgres, as postgresql://user@host:port/database. Default: the one of `tallystick up`.",
        show_default=False,
    ),
]
Bootstrap = Annotated[
    str,
    typer.Option(
        "--bootstrap-servers",
        envvar=KAFKA_VARIABLE,
        help="Kafka, as host:port, comma separated. Default: the one of `tallystick up`.",
        show_default=False,
    ),
]
Directory = Annotated[
    Path,
    typer.Option(
        "--directory",
        "-d",
        envvar=DIRECTORY_VARIABLE,
        help="Where the local installation keeps data, logs and pid files.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON lines for scripts, in place of tables.")]


class UnreachableError(TransientError):
    """A server doesn't answer: which one, where, and what to check."""

    def __init__(self, server: str, address: str, reason: BaseException) -> None:
        said = str(reason) or type(reason).__name__
        super().__init__(
            f"{server} at {address} does not answer: {said}.",
            cure="Check the address and that the server runs; `tallystick up` starts one of your own.",
        )


def dsn_or_local(dsn: str) -> str:
    """The DSN given, or that of the servers which `tallystick up` started here.

    Raises:
        ConfigurationError: neither is there.
    """
    return dsn or _local(POSTGRES_VARIABLE).dsn


def bootstrap_or_local(bootstrap_servers: str) -> str:
    """Kafka's address given, or that of the servers which `tallystick up` started here.

    Raises:
        ConfigurationError: neither is there.
    """
    return bootstrap_servers or _local(KAFKA_VARIABLE).bootstrap_servers


def local_directory() -> Path:
    """The directory of the local installation that commands fall back to."""
    return Path(os.environ.get(DIRECTORY_VARIABLE) or DIRECTORY)


def _local(variable: str) -> Endpoints:
    if not (local_directory() / "stack.json").exists():
        raise ConfigurationError(
            f"{variable} is not set, and no servers were started here.",
            cure=f"Set {variable}, or run `tallystick up` first.",
        )
    from deploy.local_stack import LocalStack  # noqa: PLC0415 (needs the extra `local`, which a container leaves out)

    return LocalStack(local_directory()).endpoints


def shards_of(directory: Path) -> int:
    """The number of shards: `POINTS_PARTITIONS`, else what the local installation was made with, else 64.

    Raises:
        ConfigurationError: `POINTS_PARTITIONS` isn't a number of partitions.
    """
    if given := os.environ.get("POINTS_PARTITIONS"):
        if not given.isdigit() or int(given) < 1:
            raise ConfigurationError(f"POINTS_PARTITIONS is {given!r}.", cure="Set it to a whole number, 1 or more.")
        return int(given)
    remembered = directory / REMEMBERED
    if remembered.exists():
        return int(json.loads(remembered.read_text("utf-8"))["shards"])
    return SHARDS


def remember(directory: Path, shards: int) -> None:
    """Note the number of shards of the local installation, for the commands that come after."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / REMEMBERED).write_text(json.dumps({"shards": shards}) + "\n", "utf-8")


@contextmanager
def kafka(bootstrap_servers: str) -> Iterator[None]:
    """What goes wrong with Kafka inside the block, said in the words of whoever runs the command.

    Raises:
        UnreachableError: the broker doesn't answer, or stopped answering.
    """
    # What the library says of each attempt is in the error that we raise at the end.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        yield
    except (KafkaError, TimeoutError) as error:
        raise UnreachableError("Kafka", bootstrap_servers, error) from error


@contextmanager
def reaching_postgres(dsn: str) -> Iterator[None]:
    """What goes wrong with Postgres inside the block, said in the words of whoever runs the command.

    Raises:
        UnreachableError: the server doesn't answer, or stopped answering.
        ConfigurationError: it answers, and is not ours: no such database, role, password or table.
    """
    try:
        yield
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
        raise ConfigurationError(
            f"The database lacks what this command reads: {error}.", cure="Run `python -m deploy.migrate`."
        ) from error
    except (
        OSError,
        asyncpg.PostgresConnectionError,
        asyncpg.CannotConnectNowError,
        asyncpg.OperatorInterventionError,
    ) as error:
        raise UnreachableError("Postgres", _without_password(dsn), error) from error


@asynccontextmanager
async def postgres(dsn: str, *, role: str | None = None) -> AsyncIterator[asyncpg.Connection]:
    """A session for a command, which may take its time; closed at the end.

    Raises:
        UnreachableError: the server doesn't answer.
        ConfigurationError: it answers, and is not ours: no such database, role, or password.
    """
    with reaching_postgres(dsn):
        try:
            connection = await connect(dsn, role=role, application="tallystick", settings=LONG_WORK_SETTINGS)
        except TimeoutError as error:
            raise UnreachableError("Postgres", _without_password(dsn), error) from error
        except (
            asyncpg.InvalidAuthorizationSpecificationError,
            asyncpg.InvalidCatalogNameError,
            asyncpg.InvalidParameterValueError,
            asyncpg.InsufficientPrivilegeError,
            ValueError,
        ) as error:
            raise ConfigurationError(
                f"Postgres at {_without_password(dsn)} refuses us: {error}.",
                cure=f"Check {POSTGRES_VARIABLE}; a new database needs `python -m deploy.migrate` first.",
            ) from error
        try:
            yield connection
        finally:
            await connection.close()


def answered(dsn: str, role: str, ask: Callable[[asyncpg.Connection], Awaitable[Answer]]) -> Answer:
    """What one question gives, asked in a session of its own at the DSN given, or at the local servers.

    Raises:
        UnreachableError, ConfigurationError: as `postgres`, or where there is no DSN.
    """
    address = dsn_or_local(dsn)

    async def answer() -> Answer:
        async with postgres(address, role=role) as session:
            return await ask(session)

    return asyncio.run(answer())


@asynccontextmanager
async def kafka_producer(bootstrap_servers: str) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer (acks=all, idempotent), stopped at the end.

    Raises:
        UnreachableError: the broker doesn't answer, or stopped answering.
    """
    producer = broker.producer(bootstrap_servers, "tallystick")
    try:
        with kafka(bootstrap_servers):
            await producer.start()
            yield producer
    finally:
        await producer.stop()


def _without_password(dsn: str) -> str:
    """The address without what nobody should read over a shoulder."""
    parts = urlsplit(dsn)
    if parts.password is None:
        return dsn
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":…@")))
