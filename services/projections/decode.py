"""Decoding: records of the points topic → what `follow` and the folds need, record by record."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec

from services.projections.events import KINDS, Event, decode
from services.projections.positions import Received
from shared.codec import UNREADABLE, Place, place_of
from shared.dead_letters import DeadLetter
from shared.errors import PermanentError, UnreadableEventError

SERVICE = "projections"


class Decoded(msgspec.Struct):
    """A partition's records in log order, and those that earning did not write, which take no position.

    `read_to` is the offset after the last of them all; None where not all are to be followed.
    """

    partition: int
    records: list[Received]
    foreign: list[DeadLetter]
    read_to: int | None = None


def decode_partition(partition: int, records: Iterable[Any]) -> Decoded:
    """Decode a partition's records (aiokafka's, in log order)."""
    decoded = Decoded(partition, [], [])
    for record in records:
        decoded.read_to = record.offset + 1
        try:
            decoded.records.append(received(record))
        except PermanentError as error:
            received_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
            decoded.foreign.append(DeadLetter.of(error, service=SERVICE, record=record, received_at=received_at))
    return decoded


def halves(batch: list[Decoded]) -> list[list[Decoded]]:
    """A batch in smaller parts, to be stored in this order: its partitions, or the halves of its only one.

    Gives none where it can't be made smaller.
    """
    if len(batch) > 1:
        return [[decoded] for decoded in batch]
    whole = batch[0]
    middle = len(whole.records) // 2
    if middle == 0:
        return []
    return [
        [Decoded(whole.partition, whole.records[:middle], whole.foreign)],
        [Decoded(whole.partition, whole.records[middle:], [], whole.read_to)],
    ]


def received(record: Any) -> Received:  # noqa: ANN401 (aiokafka's record, or anything with its fields)
    """One record's place, hash and event.

    Raises:
        PermanentError: `foreign_record`.
    """
    place = place_of(record.headers)
    value = record.value or b""
    digest = blake2b(value, digest_size=16).digest()
    try:
        return Received(record.offset, place.position, digest, _event(value, place, record.partition))
    except UnreadableEventError as error:
        return Received(record.offset, place.position, digest, None, error)


def _event(value: bytes, place: Place, partition: int) -> Event:
    shard, position, event_type = place
    if event_type not in KINDS:
        raise UnreadableEventError(shard, position, f"unknown event type {event_type!r}")
    try:
        event = decode(value)
    except UNREADABLE as error:
        raise UnreadableEventError(shard, position, str(error)) from error
    data = event.data
    if data.position != position or event.type != event_type or not (data.shard == shard == partition):
        raise UnreadableEventError(shard, position, "partition, headers and value name different places or types")
    return event
