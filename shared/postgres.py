"""The edge to Postgres: sessions with their timeouts, named queries, and which of its errors pass by themselves."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import asyncpg

from shared.clients import clients
from shared.errors import ConfigurationError

SESSION_SETTINGS = {
    "TimeZone": "UTC",
    # A paused process must not keep its locks: each of these frees them without anybody's help. Milliseconds.
    "idle_in_transaction_session_timeout": "3000",
    "transaction_timeout": "10000",
    "statement_timeout": "10000",
    "lock_timeout": "5000",
    # A host that vanished is noticed within about ten seconds. Seconds, then a count.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    # Compiling plans costs more than our short statements run.
    "jit": "off",
}
"""Settings of every session of a service; `synchronous_commit` stays on, as the server has it."""

LONG_WORK_SETTINGS = SESSION_SETTINGS | {
    "idle_in_transaction_session_timeout": "60000",
    "transaction_timeout": "0",
    "statement_timeout": "0",
    "maintenance_work_mem": "256MB",
}
"""Settings of an operator's session that builds tables: it takes as long as it takes."""

CONNECT_TIMEOUT_S = 5.0

TRANSIENT_ERRORS: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # What asyncpg says of a session that the server has ended between two statements of ours.
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.QueryCanceledError,
    asyncpg.ReadOnlySQLTransactionError,
    OSError,
    TimeoutError,
)
"""What to wait for with backoff and try again: the server is away, starting, stopping or full, or a lock is held."""

DATA_ERRORS: tuple[type[BaseException], ...] = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    # What COPY says of a value that its column has no room for, before it is sent.
    OverflowError,
    UnicodeEncodeError,
)
"""What one fact of a batch can cause: the batch is run again fact by fact."""


async def connect(
    dsn: str, *, role: str | None = None, application: str, settings: dict[str, str] | None = None
) -> asyncpg.Connection:
    """A session as `role` (none: as the DSN's own user), with our timeouts.

    Raises:
        OSError, TimeoutError, asyncpg.PostgresError: the server can't be reached or refuses; see `TRANSIENT_ERRORS`.
    """
    chosen = (settings or SESSION_SETTINGS) | {"application_name": application}
    if role is not None:
        chosen["role"] = role
    return await clients().connect(dsn, timeout=CONNECT_TIMEOUT_S, server_settings=chosen)


_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


class Queries:
    """The named statements of one `.sql` file: `-- name: lock_shards` and the statement below it."""

    def __init__(self, file: Path) -> None:
        parts = _NAME.split(file.read_text("utf-8"))
        self._file = file
        self._statements: dict[str, str] = dict(
            zip(parts[1::2], (body.strip().rstrip(";") for body in parts[2::2]), strict=True)
        )

    def __getitem__(self, name: str) -> str:
        try:
            return self._statements[name]
        except KeyError:
            raise ConfigurationError(f"{self._file.name} has no statement named {name}.") from None

    def filled(self, name: str, **values: object) -> str:
        """A statement with these values in the place of their `{name}`s."""
        text = self[name]
        for placeholder, value in values.items():
            text = text.replace("{" + placeholder + "}", str(value))
        return text

    @property
    def names(self) -> tuple[str, ...]:
        """Every statement's name, in the order of the file."""
        return tuple(self._statements)


SESSIONS = Queries(Path(__file__).parent / "sql" / "sessions.sql")


async def free_locks(dsn: str, application: str, error: BaseException) -> None:
    """Where a lock was waited for in vain: end sessions that stand still inside a COPY longer than a transaction may.

    No timeout of Postgres reaches a session that waits for its client's COPY data: a process paused just then would
    keep its locks for as long as it is paused. `application` is what the names of those sessions begin with. The DSN's
    user can end sessions of their own only. Where the server can't be reached, nothing is ended.
    """
    if not isinstance(error, asyncpg.LockNotAvailableError):
        return
    with suppress(*TRANSIENT_ERRORS):
        session = await connect(dsn, application="tallystick-end-overdue")
        try:
            overdue_ms = float(SESSION_SETTINGS["transaction_timeout"])
            await session.fetchval(SESSIONS["end_overdue"], application, overdue_ms)
        finally:
            await session.close()
