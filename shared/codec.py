"""The codec of point events: values to bytes and back, their Kafka headers, and the hash that chains a shard."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from shared.errors import PermanentError
from shared.point_events import EVENT_TYPES, EventData, PointEvent
from shared.reasons import Reason

Headers = Sequence[tuple[str, bytes | None]]
"""Kafka headers as aiokafka hands them over: a name may repeat, a value may be null."""

STRUCTURED = "application/cloudevents+json"
"""The media type of a CloudEvents envelope with its data: structured mode."""

CONTENT_TYPE = ("content-type", STRUCTURED.encode())
"""A header of every record we write."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding a value may end in: it isn't JSON of this shape, its text isn't UTF-8, or it nests without end."""

POSITION_DIGITS_MAX = 18
"""No position has more: they fit into a database's integers."""

CHAIN_START = ""
"""`chain` of a shard's first event: it has no predecessor."""

_encode = msgspec.json.Encoder().encode


class Place(NamedTuple):
    """What our Kafka headers say of a point event: where it stands, and its type."""

    shard: int
    position: int
    type: str


def envelope(data: EventData) -> PointEvent[EventData]:
    """The CloudEvents envelope of a point event; `time` is when it was decided, `id` is `program/member/sequence`."""
    key = f"{data.program}/{data.member}"
    return PointEvent(
        id=f"{key}/{data.sequence}",
        type=data.TYPE,
        subject=data.member,
        time=data.decided_at,
        partitionkey=key,
        program=data.program,
        data=data,
    )


def encode_data(data: EventData) -> bytes:
    """The bytes of an event in its envelope, as they go into the journal and to Kafka.

    The same event always gives the same bytes; its shard, position and chain are set by then.
    """
    return _encode(envelope(data))


def chain_of(value: bytes) -> str:
    """BLAKE2b-128 of an event's bytes, in hex: the `chain` of the shard's next event."""
    return blake2b(value, digest_size=16).hexdigest()


def headers_of(shard: int, position: int, event_type: str) -> list[tuple[str, bytes]]:
    """The Kafka headers of a point event: so readers know its place without decoding it."""
    shard_header, type_header = _lasting_headers(shard, event_type)
    return [CONTENT_TYPE, shard_header, ("position", b"%d" % position), type_header]


@cache
def _lasting_headers(shard: int, event_type: str) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    return ("shard", b"%d" % shard), ("type", event_type.encode())


def place_of(headers: Headers) -> Place:
    """What our headers say of a record.

    Raises:
        PermanentError: `foreign_record`, when a header of ours is missing or unreadable: earning didn't write it.
    """
    found = dict(headers)
    shard, position, event_type = found.get("shard"), found.get("position"), found.get("type")
    if shard is not None and position is not None and event_type is not None and _numbers(shard, position):
        with suppress(UnicodeDecodeError):  # an unreadable header: as good as none
            return Place(int(shard), int(position), event_type.decode())
    raise PermanentError(
        Reason.FOREIGN_RECORD, "a record without readable shard, position and type headers", field="headers"
    )


def _numbers(*values: bytes) -> bool:
    return all(value.isdigit() and len(value) <= POSITION_DIGITS_MAX for value in values)


@cache
def decoder_of(event_type: str) -> msgspec.json.Decoder[Any]:
    """The decoder of one type's envelopes; made once.

    `data.fact` stays plain JSON values (dict, list, str, …), so that encoding again gives the same bytes.
    """
    generic: Any = PointEvent  # subscripted with a class known only at run time, which type checkers can't follow
    return msgspec.json.Decoder(generic[EVENT_TYPES[event_type]])
