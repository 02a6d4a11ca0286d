"""Loop: an event loop whose time is made up, and the hosts on it: machines that can die, stand still and wake up.

Nothing here waits. When nobody has anything to do, the clock jumps to the next timer, so that a minute of backoff costs
microseconds. The same calls in the same order give the same run: tasks hash by their number and not by their address.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar, TypeVarTuple, cast

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

CLOSINGS = 4
"""How often a coroutine is told to end before it is left alone: its `finally` may want to wait for something."""


class DeadHostError(BaseException):
    """Somebody works on a host that is dead: only clean-up of what it left behind does; nothing hears of it."""


class StuckError(Exception):
    """Nobody has anything to do, now or later, and the run has not ended."""


_host: ContextVar[Host | None] = ContextVar("host", default=None)


class Handle:
    """A call to come; asyncio's own handles do more, and cost more."""

    __slots__ = ("args", "callback", "cancelled", "context")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.cancelled = False

    def cancel(self) -> None:
        """Don't call."""
        self.cancelled = True


class Host:
    """A machine: all that runs on it dies, stands still and wakes up together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.paused = False
        self.changes = 0
        self.watchers: list[Callable[[], None]] = []
        self._context = Context()
        self._context.run(_host.set, self)
        self._parked: list[Handle] = []

    def context(self) -> Context:
        """The context of work on this host; what that begins is on the host, too."""
        return self._context.copy()

    def crash(self) -> None:
        """Die: nothing of it ever goes on."""
        if not self.dead:
            self.dead = True
            self._parked.clear()
            self._tell()

    def pause(self) -> None:
        """Stand still: what falls due waits."""
        if not self.dead:
            self.paused = True
            self._tell()

    def revive(self) -> None:
        """Go on, beginning with all that fell due meanwhile."""
        self.paused = False
        for handle in self._parked:
            loop().put(handle)
        self._parked.clear()
        self._tell()

    def park(self, handle: Handle) -> None:
        """Keep for later what would run now."""
        self._parked.append(handle)

    def _tell(self) -> None:
        self.changes += 1
        for watcher in tuple(self.watchers):
            watcher()


NOWHERE = Context()
"""Where servers and networks run: on no host."""


def here() -> Host:
    """The host on which the caller runs.

    Raises:
        DeadHostError: it is dead.
    """
    host = _host.get()
    if host is None:
        msg = "only a host has clients"
        raise LookupError(msg)
    if host.dead:
        raise DeadHostError
    return host


def name_of_host() -> str:
    """Where the caller runs, in words."""
    host = _host.get()
    return "the servers" if host is None else host.name


def time_of_loop() -> float:
    """Seconds since the beginning of the run."""
    return loop().time()


def loop() -> Loop:
    """The loop that runs just now."""
    return cast("Loop", asyncio.get_running_loop())


class _Task(asyncio.Task[T]):
    """A task that sorts in sets by its number: an address would be another in each run."""

    _number: int

    def __new__(cls, *_: object, loop: Loop, **__: object) -> _Task[T]:
        task = super().__new__(cls)
        task._number = loop.number()
        return task

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class Loop(asyncio.AbstractEventLoop):
    """One thread, one queue, one made-up clock (seconds from 0)."""

    def __init__(self) -> None:
        self._now = 0.0
        self._number = 0
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, int, Handle]] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self.steps = 0
        self.troubles: list[str] = []

    def number(self) -> int:
        """The next of the numbers that tell equals apart."""
        self._number += 1
        return self._number

    def time(self) -> float:
        """Seconds since the beginning."""
        return self._now

    def put(self, handle: Handle) -> None:
        """Let a handle run next, after those that wait already."""
        self._ready.append(handle)

    def call_soon(  # type: ignore[override] # a lighter handle
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Handle:
        """Call after all that waits already."""
        handle = Handle(callback, args, copy_context() if context is None else context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override] # a lighter handle
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Handle:
        """Call after so many seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override] # a lighter handle
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Handle:
        """Call at an instant of this clock."""
        handle = Handle(callback, args, copy_context() if context is None else context)
        self._number = number = self._number + 1
        heapq.heappush(self._timers, (when, number, handle))
        return handle

    def later(self, delay: float, callback: Callable[[*Ts], object], *args: *Ts) -> Handle:
        """Call after so many seconds, on no host."""
        handle = Handle(callback, args, NOWHERE)
        self._number = number = self._number + 1
        heapq.heappush(self._timers, (self._now + delay, number, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        """Begin a coroutine."""
        task: asyncio.Task[T] = _Task(coro, loop=self, name=name or "", context=context)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._tasks.append(task)
        return task

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run until `main` has ended; gives its result. What else there is then ends unheard.

        Raises:
            StuckError: nothing would ever happen again.
        """
        events._set_running_loop(self)
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(finalizer=_left_behind)
        try:
            task = self.create_task(main, context=NOWHERE.copy())
            while not task.done():
                self._step()
            return task.result()
        finally:
            self._clear_away()
            sys.set_asyncgen_hooks(*hooks)
            events._set_running_loop(None)

    def _step(self) -> None:
        ready = self._ready
        while not ready:
            if not self._timers:
                raise StuckError
            when, _, timer = heapq.heappop(self._timers)
            if not timer.cancelled:
                self._now = max(self._now, when)
                ready.append(timer)
        handle = ready.popleft()
        if handle.cancelled:
            return
        context = handle.context
        host = context.get(_host)
        if host is not None:
            if host.dead:
                return
            if host.paused:
                host.park(handle)
                return
        self.steps += 1
        context.run(handle.callback, *handle.args)

    def _clear_away(self) -> None:
        for task in self._tasks:
            coroutine = task.get_coro()
            if not task.done() and isinstance(coroutine, Coroutine):
                _end(coroutine)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody has caught."""
        self.troubles.append(f"{context.get('message')}: {context.get('exception')!r}")

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """Always: it is made for one run."""
        return True

    def is_closed(self) -> bool:
        """Never."""
        return False


def _left_behind(_: object) -> None:
    """A generator of a dead host: its `finally` is not run."""


def _end(coroutine: Coroutine[Any, Any, Any]) -> None:
    # What it left open is inert: its host's clients do nothing any more.
    for _ in range(CLOSINGS):
        with suppress(BaseException):
            coroutine.close()
            return


async def wait_for_ever() -> None:
    """Never go on: the caller's host is dead."""
    await loop().create_future()
