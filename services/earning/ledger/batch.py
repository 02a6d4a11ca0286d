"""Batches: the records of one fetch as values, between `consume`, which reads them, and `earn`, which decides them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec

from services.earning.decide.core.decision import Outcome
from services.earning.source_events.facts import Fact
from shared.errors import PermanentError

Headers = tuple[tuple[str, bytes | None], ...]

Partition = tuple[str, int]
"""A partition of an input topic."""


class Input(msgspec.Struct):
    """One record of an input topic: where it lies, what it is made of, and what it says (or why that can't be told)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    received_at: datetime
    fact: Fact | None = None
    error: PermanentError | None = None
    outcome: Outcome | None = None


class Span(NamedTuple):
    """The records of one partition in a fetch, and the consumer's position before (`start`) and after it (`end`).

    Offsets can have gaps: the records alone don't say where the fetch began and ended. `log` is which of the
    partition's logs they were read from, by its fence.
    """

    topic: str
    partition: int
    start: int
    end: int
    inputs: list[Input]
    log: int = 0

    @property
    def of(self) -> Partition:
        """Which partition."""
        return self.topic, self.partition


class Counts(msgspec.Struct):
    """What became of a partition's inputs in one batch; the four add up to the input."""

    applied: int = 0
    duplicate: int = 0
    rejected: int = 0
    dead_letter: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count one decided input."""
        setattr(self, outcome, getattr(self, outcome) + 1)

    def __add__(self, other: Counts) -> Counts:
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Counts(*(one + another for one, another in zip(mine, theirs, strict=True)))


class Earned(msgspec.Struct):
    """A batch is decided and committed: what became of each partition's inputs, and how many point events it gave."""

    counts: dict[Partition, Counts]
    reasons: dict[str, int]
    events: int

    def __add__(self, other: Earned) -> Earned:
        counts, reasons = dict(self.counts), dict(self.reasons)
        for partition, more in other.counts.items():
            counts[partition] = counts.get(partition, Counts()) + more
        for reason, number in other.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + number
        return Earned(counts, reasons, self.events + other.events)


class FenceMovedBackError(Exception):  # noqa: N818 - says where to go back to; nothing is wrong
    """A partition's fence lies before the batch: an earlier one failed. Go back to `stored` and read again.

    Attributes:
        stored: partition → the offset to read from.
    """

    def __init__(self, stored: dict[Partition, int]) -> None:
        super().__init__(f"earlier records are not decided yet: {stored}")
        self.stored = stored


def one_by_one(spans: Iterable[Span]) -> Iterator[Span]:
    """The same records, each as a span of its own, every partition's in order, the oldest partition head first."""
    singles = [_singles(span) for span in spans]
    heads = [next(single) for single in singles]
    while heads:
        first = min(range(len(heads)), key=lambda at: heads[at].inputs[0].received_at)
        yield heads[first]
        following = next(singles[first], None)
        if following is None:
            del singles[first], heads[first]
        else:
            heads[first] = following


def _singles(span: Span) -> Iterator[Span]:
    starts = [span.start, *(one.offset + 1 for one in span.inputs[:-1])]
    ends = [*(one.offset + 1 for one in span.inputs[:-1]), span.end]
    for start, end, one in zip(starts, ends, span.inputs, strict=True):
        yield span._replace(start=start, end=end, inputs=[one])
