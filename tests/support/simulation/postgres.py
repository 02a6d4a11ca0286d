"""Postgres, simulated: committed rows, row locks, READ COMMITTED transactions, and the timeouts that free locks.

Statements are known by their text and worked by the double of the same name (`earning_statements`, …). A statement sees
what is committed when it begins, and what its own transaction wrote; a row it locks or changes it sees as it is once
the lock is had. What is said of errors, locks and visibility here is compared with the real server by
tests/integration/simulation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from datetime import datetime, timedelta
from types import GeneratorType
from typing import Any, NamedTuple, TypeVar, cast

import asyncpg

from tests.support.simulation.loop import Loop
from tests.support.simulation.tables import KEYS, Registry

Key = tuple[Any, ...]
Table = type[tuple[Any, ...]]
Lockable = tuple[Table, Key]
Waits = Generator[Lockable, None, Any]
R = TypeVar("R", bound=tuple[Any, ...])

DEADLOCK_TIMEOUT_S = 1.0


class Record(tuple[Any, ...]):
    """A row of an answer: by number and by column, like asyncpg's."""

    __slots__ = ()
    numbers: dict[str, int] = {}  # noqa: RUF012 (one a class, never changed)

    def __getitem__(self, key: Any) -> Any:
        return tuple.__getitem__(self, self.numbers[key] if isinstance(key, str) else key)


class Statement(NamedTuple):
    """What the server does for a statement: a function of the transaction and the arguments, and its columns."""

    name: str
    answer: type[Record]
    work: Callable[..., Any]

    def answered(self, rows: Iterable[tuple[Any, ...]]) -> list[Record]:
        """Rows as the client gets them: of a table's row the columns that the statement asks for."""
        columns = self.answer.numbers
        picked = (tuple(getattr(row, name) for name in columns) if type(row) in KEYS else row for row in rows)
        return [self.answer(row) for row in picked]


def statement(name: str, columns: str, work: Callable[..., Any]) -> Statement:
    """A statement whose answers have these columns."""
    numbers = {column: at for at, column in enumerate(columns.split())}
    return Statement(name, type("Answer", (Record,), {"numbers": numbers, "__slots__": ()}), work)


class Backend:
    """The server's side of a session: its transaction, its locks, and since when it waits for its client."""

    def __init__(self, server: Server, settings: dict[str, str]) -> None:
        self.server = server
        self.gone: Exception | None = None
        self.in_transaction = False
        self.failed = False
        self.began = 0.0
        self.idle_since: float | None = None
        self.writes: dict[Table, dict[Key, tuple[Any, ...] | None]] = {}
        self.locks: list[Lockable] = []
        self.waits_for: Lockable | None = None
        self.changed: dict[str, list[Any]] = {}
        self.idle_timeout_s = _seconds(settings, "idle_in_transaction_session_timeout")
        self.transaction_timeout_s = _seconds(settings, "transaction_timeout")
        self.lock_timeout_s = _seconds(settings, "lock_timeout")

    def now(self) -> datetime:
        """When the transaction began."""
        return self.server.at(self.began)

    def get(self, table: type[R], key: Key) -> R | None:
        """A row as this transaction sees it now."""
        mine = self.writes.get(table)
        if mine is not None and key in mine:
            return cast("R | None", mine[key])
        return cast("R | None", self.server.tables[table].get(key))

    def rows(self, table: type[R]) -> list[R]:
        """All rows as this transaction sees them now."""
        committed = self.server.tables[table]
        mine = self.writes.get(table)
        rows = committed if mine is None else {**committed, **mine}
        return [cast("R", row) for row in rows.values() if row is not None]

    def lock(self, table: type[R], key: Key) -> Generator[Lockable, None, R | None]:
        """Lock a row for the rest of the transaction; gives it as it is then."""
        at = table, key
        if not self.server.grant(self, at):
            yield at
        return self.get(table, key)

    def put(self, row: tuple[Any, ...]) -> None:
        """Write a row that is locked."""
        table = type(row)
        self.writes.setdefault(table, {})[key_of(row)] = row

    def delete(self, table: Table, key: Key) -> None:
        """Delete a row that is locked."""
        self.writes.setdefault(table, {})[key] = None

    def insert(self, row: tuple[Any, ...], *, unless_there: bool = False) -> Generator[Lockable, None, bool]:
        """Write a new row; False: it is there, and `unless_there` says that this is fine.

        Raises:
            asyncpg.UniqueViolationError: it is there.
        """
        if (yield from self.lock(type(row), key_of(row))) is None:
            self.put(row)
            return True
        if unless_there:
            return False
        msg = f"duplicate key value violates unique constraint of {type(row).__name__}"
        raise asyncpg.UniqueViolationError(msg)

    def update(self, table: type[R], changed: Iterable[tuple[Key, Callable[[R], R]]]) -> Waits:
        """Change rows that were there when the statement began."""
        there = [(key, change) for key, change in changed if self.get(table, key) is not None]
        for key, change in there:
            row = yield from self.lock(table, key)
            if row is not None:
                self.put(change(row))


class _Waiting(NamedTuple):
    """A statement that waits for a lock."""

    backend: Backend
    work: Waits
    done: Callable[[Any, Exception | None], None]


class Server:
    """The database server: what is committed outlives a crash of it, what isn't is gone."""

    def __init__(self, loop: Loop, began: datetime, statements: dict[str, Statement]) -> None:
        self._loop = loop
        self._began = began
        self.statements = statements
        self.running_since = began
        self._number = 0
        self.up = True
        self.tables: dict[Table, dict[Key, tuple[Any, ...]]] = {table: {} for table in KEYS}
        self.tables[Registry][True,] = Registry()  # as a migration puts it there
        self.backends: list[Backend] = []
        self._holders: dict[Lockable, Backend] = {}
        self._queues: dict[Lockable, deque[_Waiting]] = {}
        self.on_commit: Callable[[dict[Table, dict[Key, tuple[Any, ...] | None]]], None] = lambda _: None

    def at(self, time: float) -> datetime:
        """An instant of the loop's clock by the server's."""
        return self._began + timedelta(seconds=time)

    def clock(self) -> datetime:
        """What time it is."""
        return self.at(self._loop.time())

    def next_number(self) -> int:
        """The next number of a sequence; one that is rolled back is left out."""
        self._number += 1
        return self._number

    def open(self, settings: dict[str, str]) -> Backend:
        """Begin a session.

        Raises:
            ConnectionRefusedError: the server is down.
        """
        if not self.up:
            raise ConnectionRefusedError
        backend = Backend(self, settings)
        self.backends.append(backend)
        return backend

    def crash(self) -> None:
        """Die: every session ends, and nothing that isn't committed is left."""
        self.up = False
        for backend in tuple(self.backends):
            self.end(backend, asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"))

    def end(self, backend: Backend, why: Exception) -> None:
        """End a session."""
        if backend.gone is None:
            backend.gone = why
            self.backends.remove(backend)
            self._give_up_waiting(backend, why)
            self._leave(backend)

    def cancel(self, backend: Backend) -> None:
        """End the statement of a session that waits for a lock, if it has one."""
        if backend.waits_for is not None:
            self._give_up_waiting(backend, asyncpg.QueryCanceledError("canceling statement"))
            self._fail(backend, asyncpg.QueryCanceledError("canceling statement"), lambda *_: None)

    def start(self) -> None:
        """Come up again."""
        self.running_since, self.up = self.clock(), True

    # transactions

    def begin(self, backend: Backend) -> None:
        """Begin a transaction."""
        backend.in_transaction, backend.failed, backend.began = True, False, self._loop.time()

    def commit(self, backend: Backend) -> None:
        """End a transaction; what it wrote is there for all. One that has failed is rolled back, without a word."""
        if not backend.failed:
            self.on_commit(backend.writes)
            for table, rows in backend.writes.items():
                committed = self.tables[table]
                for key, row in rows.items():
                    if row is None:
                        committed.pop(key, None)
                    else:
                        committed[key] = row
        self._leave(backend)

    def rollback(self, backend: Backend) -> None:
        """End a transaction as if it had not been."""
        self._leave(backend)

    def _leave(self, backend: Backend) -> None:
        backend.in_transaction = backend.failed = False
        backend.writes = {}
        locks, backend.locks = backend.locks, []
        for at in locks:
            del self._holders[at]
            self._pass_on(at)

    # statements

    def work(
        self,
        backend: Backend,
        work: Callable[..., Any],
        arguments: Sequence[Any],
        done: Callable[[Any, Exception | None], None],
    ) -> None:
        """Work a statement; `done` hears its answer or error, at once or when it had its locks."""
        if backend.failed:
            done(None, asyncpg.InFailedSQLTransactionError("current transaction is aborted"))
            return
        if not backend.in_transaction:
            self.begin(backend)
            backend.in_transaction = False
            done = self._committing(backend, done)
        try:
            answer = work(backend, *arguments)
        except asyncpg.PostgresError as error:
            self._fail(backend, error, done)
            return
        if isinstance(answer, GeneratorType):
            self._go_on(_Waiting(backend, answer, done))
        else:
            done(answer, None)

    def _committing(
        self, backend: Backend, done: Callable[[Any, Exception | None], None]
    ) -> Callable[[Any, Exception | None], None]:
        def committed(answer: Any, error: Exception | None) -> None:
            if error is None:
                self.commit(backend)
            else:
                self.rollback(backend)
            done(answer, error)

        return committed

    def _go_on(self, one: _Waiting, error: Exception | None = None) -> None:
        try:
            at = next(one.work) if error is None else one.work.throw(error)
        except StopIteration as end:
            one.done(end.value, None)
        except asyncpg.PostgresError as failure:
            self._fail(one.backend, failure, one.done)
        else:
            self._wait(one, at)

    def _fail(self, backend: Backend, error: Exception, done: Callable[[Any, Exception | None], None]) -> None:
        if backend.in_transaction:
            # What the transaction has done and locked is given up now; it only has to be ended.
            self._leave(backend)
            backend.in_transaction = backend.failed = True
        done(None, error)

    # locks

    def grant(self, backend: Backend, at: Lockable) -> bool:
        """Give a lock that is free, or the backend's own."""
        holder = self._holders.get(at)
        if holder is backend:
            return True
        if holder is not None:
            return False
        self._holders[at] = backend
        backend.locks.append(at)
        return True

    def _wait(self, one: _Waiting, at: Lockable) -> None:
        self._queues.setdefault(at, deque()).append(one)
        one.backend.waits_for = at
        self._loop.later(one.backend.lock_timeout_s, self._stop_waiting, one, at, asyncpg.LockNotAvailableError)
        if self._goes_round(one.backend):
            self._loop.later(DEADLOCK_TIMEOUT_S, self._stop_waiting, one, at, asyncpg.DeadlockDetectedError)
        self._watch(at, self._holders[at])

    def _goes_round(self, backend: Backend) -> bool:
        seen: list[Backend] = []
        one: Backend | None = backend
        while one is not None and one.waits_for is not None and one not in seen:
            seen.append(one)
            one = self._holders.get(one.waits_for)
        return one is backend

    def _stop_waiting(self, one: _Waiting, at: Lockable, error: type[Exception]) -> None:
        queue = self._queues.get(at, ())
        if any(waiting is one for waiting in queue):
            self._queues[at] = deque(waiting for waiting in queue if waiting is not one)
            one.backend.waits_for = None
            self._go_on(one, error("canceling statement"))

    def _give_up_waiting(self, backend: Backend, why: Exception) -> None:
        at = backend.waits_for
        if at is not None:
            mine = [one for one in self._queues[at] if one.backend is backend]
            self._queues[at] = deque(one for one in self._queues[at] if one.backend is not backend)
            backend.waits_for = None
            for one in mine:
                one.work.close()
                one.done(None, why)

    def _pass_on(self, at: Lockable) -> None:
        queue = self._queues.get(at)
        if not queue:
            self._queues.pop(at, None)
            return
        one = queue.popleft()
        one.backend.waits_for = None
        self._holders[at] = one.backend
        one.backend.locks.append(at)
        self._loop.later(0.0, self._granted, one)
        if queue:
            self._watch(at, one.backend)

    def _granted(self, one: _Waiting) -> None:
        if one.backend.gone is None:
            self._go_on(one)
        else:
            one.work.close()
            one.done(None, one.backend.gone)

    # timeouts; they matter only where somebody waits, or when the client comes back

    def overdue(self, backend: Backend) -> Exception | None:
        """Which timeout has ended a session that is in a transaction, if any has."""
        now = self._loop.time()
        if backend.idle_since is not None and now - backend.idle_since >= backend.idle_timeout_s:
            return asyncpg.IdleInTransactionSessionTimeoutError("terminating connection")
        if now - backend.began >= backend.transaction_timeout_s:
            return asyncpg.TransactionTimeoutError("terminating connection")
        return None

    def _watch(self, at: Lockable, holder: Backend) -> None:
        """Somebody waits for what `holder` has: see that its timeouts end it."""
        ends = [holder.began + holder.transaction_timeout_s]
        if holder.idle_since is not None:
            ends.append(holder.idle_since + holder.idle_timeout_s)
        self._loop.later(max(0.0, min(ends) - self._loop.time()) + 0.001, self._look, at, holder)

    def _look(self, at: Lockable, holder: Backend) -> None:
        if holder.gone is None and self._holders.get(at) is holder and self._queues.get(at):
            why = self.overdue(holder)
            if why is None:
                self._watch(at, holder)
            else:
                self.end(holder, why)


def key_of(row: tuple[Any, ...]) -> Key:
    """A row's primary key."""
    return tuple(getattr(row, column) for column in KEYS[type(row)])


def _seconds(settings: dict[str, str], name: str) -> float:
    milliseconds = int(settings.get(name, "0"))
    return milliseconds / 1000 if milliseconds else float("inf")
