"""The last record read of each partition, looked at again where nothing has come for long.

A broker may come back without the end of a log. Mostly that shows by itself: the log is shorter than we have read, or
what comes next is beyond the position we wait for. Not so where the end was copies, or records of others: what is
written in their places lies before where we read on, and may stay unseen for as long as nothing follows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from shared.bookmarks import crc_of

LOOK_AGAIN_S = 30.0
"""After how long without a record the last one is read once more."""

UNKNOWN = -1
"""No record's checksum."""


class _Read(NamedTuple):
    """Where a record lies, what it holds, and when it was last looked at."""

    offset: int
    crc: int
    at_s: float


class LastRead:
    """What a lane has read last, by partition. `now_s` is any clock that only goes forward."""

    def __init__(self) -> None:
        self._last: dict[int, _Read] = {}

    def take(self, partition: int, records: Sequence[Any], now_s: float) -> Sequence[Any]:
        """Note the last of some records (one at least); gives them without the first, where that was read before."""
        seen, first, last = self._last.get(partition), records[0], records[-1]
        is_again = seen is not None and (first.offset, crc_of(first.key, first.value)) == seen[:2]
        self._last[partition] = _Read(last.offset, crc_of(last.key, last.value), now_s)
        return records[1:] if is_again else records

    def to_look_at(self, partitions: Iterable[int], now_s: float) -> dict[int, int]:
        """Partition → the offset of its last record, where there is one and it is time to read that again."""
        silent = {}
        for partition in partitions:
            seen = self._last.get(partition)
            if seen is not None and seen.offset >= 0 and now_s - seen.at_s >= LOOK_AGAIN_S:
                silent[partition] = seen.offset
                self._last[partition] = seen._replace(at_s=now_s)
        return silent

    def read_to(self, partition: int) -> int:
        """The offset after the last record, or the one where reading began."""
        return self._last[partition].offset + 1

    def begin(self, partition: int, offset: int, now_s: float) -> None:
        """The partition is read from an offset on, before which somebody has read something: what, nobody knows."""
        self._last[partition] = _Read(offset - 1, UNKNOWN, now_s)
