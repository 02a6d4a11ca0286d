"""Align: which of the records in hand may be decided now, so that no input overtakes another that lags.

After an outage one topic may be read far faster than another, and a redemption must not be decided before the orders
that pay for it. A member's facts lie in partitions of one number, so these are held together: of them only what was
received before everything that is still to be read. Pure: it sees offsets and timestamps, and asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition

PATIENCE_S = 30.0
"""A partition that gives nothing for so long, though its log has more, holds nobody back any longer."""

FOR_EVER = float("inf")


class Run(NamedTuple):
    """Records of a partition that may be decided now, and the offset after them."""

    records: Sequence[Any]
    end: int


class _Line:
    """A partition: its records in hand, how far it was read, and how far its log goes, as far as we know."""

    def __init__(self, read_to: int, log_end: int) -> None:
        self.records: list[Any] = []
        self.read_to = read_to
        self.log_end = log_end

    @property
    def lags(self) -> bool:
        """Whether the log has more than was read."""
        return self.read_to < self.log_end

    def take(self, until: float) -> Run | None:
        """The records up to a timestamp; none that lies behind a later one."""
        many = len(self.records)
        if until < FOR_EVER:
            many = next((at for at, one in enumerate(self.records) if one.timestamp > until), many)
        if not many:
            return None
        taken, self.records = self.records[:many], self.records[many:]
        return Run(taken, self.records[0].offset if self.records else self.read_to)


class Alignment:
    """Records in hand of a lane's partitions, since they were assigned."""

    def __init__(self, positions: Mapping[TopicPartition, int], log_ends: Mapping[TopicPartition, int]) -> None:
        self._lines = {one: _Line(position, log_ends[one]) for one, position in positions.items()}
        self._waits_since: dict[int, float] = {}
        self._numbers: dict[int, list[_Line]] = {}
        for one, line in self._lines.items():
            self._numbers.setdefault(one.partition, []).append(line)

    def wanted(self, records_max: int) -> tuple[list[TopicPartition], int]:
        """Which partitions to fetch from next, and how many records at most, so that few are held in vain."""
        empty = [one for one, line in self._lines.items() if not line.records]
        room = records_max - sum(len(line.records) for line in self._lines.values())
        if room > 0:
            return empty, room
        # Only what the others wait for: whatever else came would wait, too.
        return [one for one in empty if self._lines[one].lags] or empty, max(1, records_max // 4)

    def add(self, partition: TopicPartition, records: Iterable[Any], read_to: int, log_end: int | None) -> None:
        """Take fetched records in: they lead to `read_to`, in a log that goes to `log_end` (None: unknown)."""
        line = self._lines[partition]
        line.records += records
        line.read_to = read_to
        line.log_end = max(line.log_end, log_end or 0)

    def take(self, now_s: float) -> dict[TopicPartition, Run]:
        """What may be decided now; `now_s` is any clock that only goes forward."""
        until = {number: self._until(number, lines, now_s) for number, lines in self._numbers.items()}
        runs = {one: line.take(until[one.partition]) for one, line in self._lines.items() if line.records}
        return {one: run for one, run in runs.items() if run is not None}

    def _until(self, number: int, lines: Sequence[_Line], now_s: float) -> float:
        """The timestamp up to which records of these partitions may be decided."""
        lagging = [line for line in lines if line.lags]
        unknown = [line for line in lagging if not line.records]
        if not unknown or not any(line.records for line in lines):
            self._waits_since.pop(number, None)
        elif now_s - self._waits_since.setdefault(number, now_s) < PATIENCE_S:
            return -1.0
        # What is still to be read of a log comes after all that was read of it, or is late by its own doing.
        newest = [max(one.timestamp for one in line.records) for line in lagging if line.records]
        return min(newest, default=FOR_EVER)
