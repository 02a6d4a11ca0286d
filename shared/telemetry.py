"""What a service tells about itself: structured logs, and Prometheus metrics (per room, per partition)."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge


def configure_logging(service: str, *, level: str = "INFO") -> None:
    """JSON lines on stderr, one an event, also for the libraries' own loggers; every line names the service."""
    shared_processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared_processors, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(sort_keys=True),
            ],
            foreign_pre_chain=shared_processors,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # The libraries tell each retry of their own; our own lines say it once.
    for noisy in ("aiokafka", "faststream", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    structlog.contextvars.bind_contextvars(service=service)


class RoomClock:
    """Seconds and records spent in each room of the data's way: where time goes, for everybody to see."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Counter(
            "tallystick_room_seconds", "Seconds spent in a room of the data's way.", ["room"], registry=registry
        )
        self._records = Counter(
            "tallystick_room_records", "Records that went through a room.", ["room"], registry=registry
        )

    @contextmanager
    def measure(self, room: str, records: int = 0) -> Iterator[None]:
        """Count the time of the block, and `records`, to the room. Time spent waiting inside counts too."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(room, time.perf_counter() - began, records)

    def add(self, room: str, seconds: float, records: int = 0) -> None:
        """Count time taken elsewhere."""
        self._seconds.labels(room).inc(seconds)
        if records:
            self._records.labels(room).inc(records)


class Readiness:
    """What a service waits for, by name; it is ready when it waits for nothing."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waiting: dict[str, str] = {}
        self._gauge = Gauge(
            "tallystick_waiting", "1 while the service waits for this (kafka, postgres, …).", ["for"], registry=registry
        )
        self._replaced = Counter(
            "tallystick_kafka_clients_replaced",
            "Kafka clients that had died in silence and were replaced: what for, and the reason.",
            ["client", "reason"],
            registry=registry,
        )

    def waits(self, for_what: str, why: str) -> bool:
        """Note that we wait; True when this is new (so that it is logged once)."""
        new = for_what not in self._waiting
        self._waiting[for_what] = why
        self._gauge.labels(for_what).set(1)
        return new

    def has(self, what: str) -> bool:
        """Note that it is there; True when we had waited for it."""
        self._gauge.labels(what).set(0)
        return self._waiting.pop(what, None) is not None

    def replaced(self, client: str, reason: str) -> None:
        """Count a Kafka client that had died in silence."""
        self._replaced.labels(client, reason).inc()

    @property
    def waiting(self) -> dict[str, str]:
        """What we wait for, and why."""
        return dict(self._waiting)
