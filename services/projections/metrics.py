"""What projections tell about their partitions: Prometheus metrics, and a log line where something changes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.projections.positions import Followed
from shared.errors import TallystickError
from shared.telemetry import Readiness, RoomClock

log = structlog.get_logger(__name__)

_BATCH_SIZES = (1, 10, 100, 500, 1000, 2000, 4000, 8000, 20_000)


class Metrics:
    """The meters of one process, by partition of the points topic."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.clock = RoomClock(registry)
        self.readiness = Readiness(registry)
        counter = partial(Counter, labelnames=["partition"], registry=registry)
        gauge = partial(Gauge, labelnames=["partition"], registry=registry)
        self._folded = counter("tallystick_projections_events", "Events folded.")
        self._known = counter("tallystick_projections_known_records", "Records folded before.")
        self._foreign = counter("tallystick_projections_foreign_records", "Not earning's.")
        self._position = gauge("tallystick_projections_position", "Last position.")
        self._lag = gauge("tallystick_projections_lag_records", "Records to fold.")
        self._missing = gauge(
            "tallystick_projections_position_missing",
            "The position waited for, where later ones were seen before it; else 0.",
        )
        self._stopped = gauge("tallystick_projections_partition_stopped", "1: stopped, alarm.")
        self._batch = Histogram(
            "tallystick_projections_batch_events", "Events a batch.", buckets=_BATCH_SIZES, registry=registry
        )
        self._letters = Gauge(
            "tallystick_projections_open_dead_letters",
            "Records not earning's that nobody has dealt with, of the whole installation.",
            ["reason"],
            registry=registry,
        )
        self._gaps: set[int] = set()

    def projected(self, followed: dict[int, Followed]) -> None:
        """Count a committed batch."""
        self._batch.observe(sum(len(each.applied) for each in followed.values()))
        for partition, each in followed.items():
            self._folded.labels(partition).inc(len(each.applied))
            self._known.labels(partition).inc(len(each.known))
            self._position.labels(partition).set(each.fence.position)
            self._note_gap(partition, each)

    def _note_gap(self, partition: int, followed: Followed) -> None:
        wanted = followed.fence.position + 1
        if followed.beyond:
            self._missing.labels(partition).set(wanted)
            if partition not in self._gaps:
                log.warning("position missing: reading past", partition=partition, position=wanted)
            self._gaps.add(partition)
        elif followed.applied and partition in self._gaps:
            self._missing.labels(partition).set(0)
            self._gaps.discard(partition)
            log.info("missing position came", partition=partition, position=followed.fence.position)

    def foreign(self, partition: int, records: int) -> None:
        """Count records that earning did not write."""
        if records:
            self._foreign.labels(partition).inc(records)
            log.warning("foreign records: dead letters", partition=partition, records=records)

    def stopped(self, partition: int, error: TallystickError) -> None:
        """Raise the alarm: nothing further of this partition is folded by this process."""
        self._stopped.labels(partition).set(1)
        self.readiness.waits(f"partition {partition}", str(error))
        log.error("partition stopped", partition=partition, error=error.message, cure=error.cure)

    def forget(self, partition: int) -> None:
        """A partition was just assigned, or went elsewhere: what was said of it is over."""
        self.readiness.has(f"partition {partition}")
        self._gaps.discard(partition)
        for gauge in (self._position, self._lag, self._missing, self._stopped):
            with suppress(KeyError):  # nothing was said of it
                gauge.remove(partition)

    def open_dead_letters(self, numbers: Mapping[str, int]) -> None:
        """Note how many dead letters nobody has dealt with yet, by reason; each process tells the same."""
        self._letters.clear()
        for reason, number in numbers.items():
            self._letters.labels(reason).set(number)

    def lag(self, partition: int, records: int) -> None:
        """Note how many records of the log are still to fold."""
        self._lag.labels(partition).set(records)
