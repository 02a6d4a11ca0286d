"""Session, simulated: what the services use of `asyncpg.Connection`, with a wire between it and the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

import asyncpg

from tests.support.simulation import copying
from tests.support.simulation.faults import REQUEST_FATES, Fate, Fates
from tests.support.simulation.loop import Host, here, loop, wait_for_ever
from tests.support.simulation.postgres import Backend, Server, Statement
from tests.support.simulation.wire import pass_by

NOTICED_S = (0.0, 0.0, 0.05, 10.0)
"""How long the server takes to notice that a client is dead: at once where it died, long where its machine did."""

BROKEN_CANCELS = 0.3

Work = Callable[..., Any]


class Session:
    """One client's connection."""

    def __init__(self, server: Server, fates: Fates, host: Host, settings: dict[str, str]) -> None:
        self._server = server
        self._fates = fates
        self._host = host
        self._settings = settings
        self._closed = False
        self._backend: Backend | None = None

    async def connect(self) -> None:
        """Reach the server.

        Raises:
            ConnectionRefusedError: it is down.
        """
        await pass_by(self._fates.latency_s())
        here()
        self._backend = self._server.open(self._settings)
        self._host.watchers.append(self._host_changed)

    def _host_changed(self) -> None:
        if self._host.dead:
            loop().later(self._fates.chance.choice(NOTICED_S), self._cut)
            self._host.watchers.remove(self._host_changed)

    def _cut(self) -> None:
        if self._backend is not None:
            self._server.end(self._backend, asyncpg.ConnectionDoesNotExistError("connection was closed"))

    async def fetch(self, text: str, *arguments: Any) -> list[Any]:
        """Every row of the answer."""
        known = self._statement(text)
        rows = await self._ask(known.work, arguments)
        return list(known.answered(rows or ()))

    async def fetchrow(self, text: str, *arguments: Any) -> Any:
        """The first row, or none."""
        rows = await self.fetch(text, *arguments)
        return rows[0] if rows else None

    async def fetchval(self, text: str, *arguments: Any) -> Any:
        """The first value of the first row, or none."""
        row = await self.fetchrow(text, *arguments)
        return None if row is None else row[0]

    async def execute(self, text: str, *arguments: Any) -> None:
        """Work a statement and leave its answer."""
        await self._ask(self._statement(text).work, arguments)

    async def copy_records_to_table(
        self, table_name: str, *, records: Iterable[Sequence[Any]], columns: Sequence[str], schema_name: str = ""
    ) -> None:
        """Insert rows."""
        await self._ask(copying.work(schema_name, table_name, columns), (list(records),))

    def transaction(self) -> _Transaction:
        """A transaction, from entering to leaving."""
        return _Transaction(self)

    async def close(self) -> None:
        """Say goodbye."""
        if not self._closed:
            await pass_by(self._fates.latency_s())
            self.terminate()

    def terminate(self) -> None:
        """Leave without goodbye."""
        self._closed = True
        if not self._host.dead:
            loop().later(self._fates.latency_s(), self._cut)
            if self._host_changed in self._host.watchers:
                self._host.watchers.remove(self._host_changed)

    def is_closed(self) -> bool:
        """Whether this end of it knows that it is over."""
        return self._closed

    def _statement(self, text: str) -> Statement:
        try:
            return self._server.statements[text]
        except KeyError:
            msg = f"the double of Postgres doesn't know the statement: {text}"
            raise AssertionError(msg) from None

    async def _ask(self, work: Work, arguments: Sequence[Any]) -> Any:
        """Send a request, and wait for its answer."""
        here()
        if self._closed or self._backend is None:
            msg = "connection is closed"
            raise asyncpg.InterfaceError(msg)
        fate = self._fates.of_request(REQUEST_FATES)
        await self._fates.before(fate)
        answer = loop().create_future()
        loop().later(self._fates.latency_s(), self._arrive, fate, work, arguments, answer)
        self._fates.after(fate)
        if self._host.dead:
            await wait_for_ever()
        try:
            return await answer
        except asyncio.CancelledError:
            self._cancel()
            raise

    def _cancel(self) -> None:
        """Nobody waits for the answer any more; at such a moment the connection may break, too."""
        if self._fates.harmful and self._fates.happens(BROKEN_CANCELS):
            self.terminate()
        elif self._backend is not None:
            self._server.cancel(self._backend)

    def _arrive(self, fate: Fate, work: Work, arguments: Sequence[Any], answer: asyncio.Future[Any]) -> None:
        """A request comes to the server."""
        backend, server = self._backend, self._server
        if backend is None or answer.cancelled():
            return

        def done(result: Any, error: Exception | None) -> None:
            backend.idle_since = loop().time() if backend.in_transaction else None
            if fate is Fate.CUT_AFTER:
                self._cut()
            gone = backend.gone if error is None else None
            loop().later(self._fates.latency_s(), self._answer, answer, result, error or gone)

        if fate is Fate.CUT_BEFORE:
            self._cut()
        if backend.gone is None and backend.in_transaction and (why := server.overdue(backend)) is not None:
            server.end(backend, why)
        if backend.gone is not None:
            done(None, backend.gone)
            return
        backend.idle_since = None
        if work in CONTROLS:
            _control(backend, work, done, refused=fate is Fate.REFUSED)
        else:
            server.work(backend, _refused if fate is Fate.REFUSED else work, arguments, done)

    def _answer(self, answer: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
        """An answer comes to the client."""
        if answer.done() or self._host.dead:
            return
        if error is None:
            answer.set_result(result)
            return
        if self._backend is not None and self._backend.gone is not None:
            self._closed = True
        answer.set_exception(error)


def _refused(*_: Any) -> None:
    msg = "deadlock detected"
    raise asyncpg.DeadlockDetectedError(msg)


class _Transaction:
    """BEGIN at its beginning; COMMIT, or after an error ROLLBACK, at its end."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def __aenter__(self) -> None:
        await self._session._ask(_begin, ())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self._session._ask(_commit, ())
        else:
            await self._session._ask(_rollback, ())


def _begin(backend: Backend) -> None:
    backend.server.begin(backend)


def _commit(backend: Backend) -> None:
    backend.server.commit(backend)


def _rollback(backend: Backend) -> None:
    backend.server.rollback(backend)


CONTROLS = (_begin, _commit, _rollback)


def _control(backend: Backend, work: Work, done: Callable[[Any, Exception | None], None], *, refused: bool) -> None:
    """Begin or end a transaction; a commit that is refused is a rollback."""
    if refused and work is _commit:
        backend.server.rollback(backend)
        done(None, asyncpg.SerializationError("could not serialize access"))
    else:
        work(backend)
        done(None, None)
