"""A service as a process: its work beside health and metrics over HTTP, and a graceful stop on SIGTERM."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
import uvicorn
from faststream.asgi import AsgiFastStream, AsgiResponse, get
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from faststream.asgi.types import ASGIApp, Scope

    from shared.settings import Http
    from shared.telemetry import Readiness

STOP_TIMEOUT_S = 20.0

log = structlog.get_logger(__name__)

Work = Callable[[asyncio.Event], Awaitable[None]]
"""What a service does until the event is set; ending earlier by an error ends the process."""

Routes = Sequence[tuple[str, "ASGIApp"]]
"""Path → what answers there."""


def health_routes(readiness: Readiness, registry: CollectorRegistry) -> Routes:
    """`/health/live`: the loop turns. `/health/ready`: nothing is waited for (else 503, with why). `/metrics`."""

    @get
    async def live(_: Scope) -> AsgiResponse:
        return AsgiResponse(b"live", 200, {"content-type": "text/plain"})

    @get
    async def ready(_: Scope) -> AsgiResponse:
        waiting = readiness.waiting
        body = json.dumps({"ready": not waiting, "waiting": waiting}).encode()
        return AsgiResponse(body, 503 if waiting else 200, {"content-type": "application/json"})

    @get
    async def metrics(_: Scope) -> AsgiResponse:
        return AsgiResponse(generate_latest(registry), 200, {"content-type": CONTENT_TYPE_LATEST})

    return (("/health/live", live), ("/health/ready", ready), ("/metrics", metrics))


async def serve(work: Work, routes: Routes, http: Http) -> None:
    """Run `work` and answer HTTP until SIGTERM or SIGINT; then let `work` finish what it has begun.

    `work` starts and stops its own clients, so that a server that is away delays it instead of ending the process.

    Raises:
        ConfigurationError: the HTTP port is taken.
        TimeoutError: `work` did not end within 20 s of being asked to.
    """
    with _listen(http) as listener:
        host, port = listener.getsockname()[:2]
        log.info("listening", host=host, port=port)
        # It routes HTTP only, and has no broker: that would be started with it, and fail where Kafka is away.
        application = AsgiFastStream(asgi_routes=routes, logger=None)
        server = _Server(uvicorn.Config(application, lifespan="off", log_config=None, access_log=False))
        stopping = asyncio.Event()
        working = asyncio.ensure_future(work(stopping))
        working.add_done_callback(lambda _: server.stop())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        await server.serve(sockets=[listener])
        stopping.set()
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await working
    log.info("stopped")


class _Server(uvicorn.Server):
    """Uvicorn without its signal handling, which ends the process before `work` could finish."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        self.should_exit = True


def _listen(http: Http) -> socket.socket:
    try:
        return socket.create_server((http.host, http.port), backlog=128)
    except OSError as error:
        raise ConfigurationError(
            f"Can't listen on {http.host}:{http.port}: {error.strerror}.",
            cure="Set HTTP_PORT to another port, or to 0.",
        ) from error
