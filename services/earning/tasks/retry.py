"""Retry: work that needs Kafka and Postgres goes on by itself when one of them was away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from shared.broker import KAFKA_TRANSIENT, Backoff
from shared.consumer_watch import count_replaced
from shared.postgres import TRANSIENT_ERRORS, free_locks
from shared.telemetry import Readiness
from shared.waiting import is_asked_to_stop

APPLICATION = "tallystick-earning"
"""What the names of all our sessions with Postgres begin with."""

PASSING: tuple[type[BaseException], ...] = (*KAFKA_TRANSIENT, *TRANSIENT_ERRORS, asyncio.CancelledError)
"""aiokafka lets out cancellations of its own: nobody wanted the work to end, and it would end in silence."""

log = structlog.get_logger(__name__)

OnProgress = Callable[[], None]
"""Called by an attempt when it has got through: the next wait is short again, and we are ready."""

Attempt = Callable[[OnProgress], Awaitable[None]]


async def retry_until_stopped(
    name: str, attempt: Attempt, dsn: str, readiness: Readiness, stopping: asyncio.Event
) -> None:
    """Attempt until it ends well, or we are to stop; failures of Kafka or Postgres are logged once and waited out.

    An attempt that goes on for ever ends by itself when it sees that it is time to stop.
    """
    backoff = Backoff(stopping)

    def on_progress() -> None:
        backoff.reset()
        if readiness.has(name):
            log.info("goes on", what=name)

    while not stopping.is_set():
        try:
            await attempt(on_progress)
        except PASSING as error:
            if isinstance(error, asyncio.CancelledError) and is_asked_to_stop():
                raise
            count_replaced(error, readiness)
            why = f"{type(error).__name__}: {error}"
            if readiness.waits(name, why):
                log.warning("waits", what=name, error=why)
            await free_locks(dsn, APPLICATION, error)
            await backoff.wait()
        else:
            return
