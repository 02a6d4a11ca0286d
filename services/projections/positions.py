"""Which of a partition's records to apply: go back, never forward. Pure.

The event at the expected position is applied, a lower one is known already, a higher one is read past until the
missing one comes. Each event carries the hash of the one before it, so a log with two histories is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from services.projections.events import Event
from shared.errors import ForkError, TallystickError, UnreadableEventError


class Fence(msgspec.Struct):
    """How far a partition is folded: the last event's position (0: none) and hash, and where its log goes on."""

    partition: int
    position: int = 0
    hash: bytes = b""
    next_offset: int = 0


class Received(msgspec.Struct, gc=False):
    """A record of the points topic: its place, the hash of its bytes, and its event or why it can't be read."""

    offset: int
    position: int
    hash: bytes
    event: Event | None
    error: UnreadableEventError | None = None


class Followed(msgspec.Struct):
    """What became of a partition's records.

    `applied` are to be folded, in order; `known` were folded before; `beyond` counts those that came too early, and
    `stop` is why nothing further of this partition may be folded. `fence` is the fence after `applied`.
    """

    fence: Fence
    applied: list[Received]
    known: list[Received]
    beyond: int = 0
    stop: TallystickError | None = None


def follow(fence: Fence, records: Iterable[Received], read_to: int | None = None) -> Followed:
    """Sort a partition's records, in log order, into those to apply and those not to; `fence` stays as it is.

    The log goes on after the last record applied; or at `read_to`, where that is given and nothing was left undone.
    """
    partition, position, last, next_offset = fence.partition, fence.position, fence.hash, fence.next_offset
    followed = Followed(fence, [], [])
    for record in records:
        if record.position > position + 1:
            followed.beyond += 1
            continue
        if (stop := _stop(partition, position, last, record)) is not None:
            followed.stop = stop
            break
        if record.position <= position:
            followed.known.append(record)
            continue
        followed.applied.append(record)
        position, last, next_offset = record.position, record.hash, record.offset + 1
    if read_to is not None and not followed.beyond and followed.stop is None:
        next_offset = max(next_offset, read_to)
    followed.fence = Fence(partition, position, last, next_offset)
    return followed


def _stop(partition: int, position: int, last: bytes, record: Received) -> TallystickError | None:
    """Why a record at or below the expected position stops its partition."""
    if record.error is not None or record.event is None:
        return record.error
    if record.position == position + 1:
        if record.event.data.chain != last.hex():
            message = f"Partition {partition}: the event at position {record.position} follows another history."
            return ForkError(partition, record.position, message)
    elif record.position == position and record.hash != last:
        return other_content(partition, record.position)
    return None


def other_content(partition: int, position: int) -> ForkError:
    """The error for a position that is known with other bytes."""
    return ForkError(partition, position, f"Partition {partition} holds other content at known position {position}.")
