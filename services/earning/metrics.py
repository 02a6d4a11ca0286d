"""Metrics of earning: what became of the inputs, how big the batches are, how far behind we are."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.earning.ledger.batch import Earned
from shared.telemetry import RoomClock

BATCH_SIZES = (1, 10, 50, 100, 250, 500, 1000, 2000, 5000, 10_000, 20_000)


class Metrics:
    """Every number earning tells Prometheus; the rooms' clock among them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.clock = RoomClock(registry)
        self._inputs = Counter(
            "tallystick_earning_inputs",
            "Inputs decided and committed by this process, by what became of them.",
            ["topic", "partition", "outcome"],
            registry=registry,
        )
        self._dead_letters = Counter(
            "tallystick_earning_dead_letters", "Inputs that became dead letters.", ["reason"], registry=registry
        )
        self._batches = Histogram(
            "tallystick_earning_batch_records", "Records a transaction.", buckets=BATCH_SIZES, registry=registry
        )
        self._events = Counter("tallystick_earning_events", "Point events journaled.", registry=registry)
        self._swept = Counter("tallystick_earning_swept", "Members looked at because they were due.", registry=registry)
        self._messages = Counter(
            "tallystick_earning_messages", "Messages from members to members decided.", registry=registry
        )
        self._emitted = Counter("tallystick_earning_emitted", "Point events published.", registry=registry)
        self._log_changes = Counter(
            "tallystick_earning_log_changes",
            "Input logs found cut, made anew or past their retention, and read again.",
            ["topic", "partition"],
            registry=registry,
        )
        self._lag = Gauge(
            "tallystick_earning_lag_records",
            "Records of an assigned input partition that are not decided yet.",
            ["topic", "partition"],
            registry=registry,
        )

    def earned(self, earned: Earned) -> None:
        """Count a committed batch."""
        records = 0
        for (topic, partition), counts in earned.counts.items():
            for outcome in ("applied", "duplicate", "rejected", "dead_letter"):
                if number := getattr(counts, outcome):
                    self._inputs.labels(topic, partition, outcome).inc(number)
                    records += number
        for reason, number in earned.reasons.items():
            self._dead_letters.labels(reason).inc(number)
        self._batches.observe(records)
        self._events.inc(earned.events)

    def swept(self, members: int, events: int) -> None:
        """Count a committed sweep."""
        self._swept.inc(members)
        self._events.inc(events)

    def messages(self, messages: int, events: int) -> None:
        """Count decided messages."""
        self._messages.inc(messages)
        self._events.inc(events)

    def emitted(self, events: int) -> None:
        """Count events that the points topic has acknowledged."""
        self._emitted.inc(events)

    def log_changed(self, topic: str, partition: int) -> None:
        """Count an input log that isn't the one that was read before."""
        self._log_changes.labels(topic, partition).inc()

    def lag(self, topic: str, partition: int, records: int) -> None:
        """Note how far behind a partition is."""
        self._lag.labels(topic, partition).set(records)

    def not_mine(self) -> None:
        """The assignment changed: forget the lags of partitions that others may have now."""
        self._lag.clear()
