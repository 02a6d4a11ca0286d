"""The codec in: the bytes and headers of one Kafka record to a fact, or to a dead letter with its reason and field."""

from __future__ import annotations

from datetime import datetime

import msgspec

from services.earning.source_events.checks import CHECKS, utc
from services.earning.source_events.envelope import (
    ENVELOPES,
    Attributes,
    Headers,
    binary_attributes,
    check_name,
    data_of,
    structured,
)
from services.earning.source_events.explain import explain
from services.earning.source_events.facts import Fact, FactData
from services.earning.source_events.limits import check_depth, check_size, check_text
from shared.errors import PermanentError
from shared.reasons import Reason

_encode = msgspec.json.Encoder().encode
_REFUSALS = (msgspec.MsgspecError, PermanentError, UnicodeDecodeError, RecursionError)


def decode(
    value: bytes | None,
    headers: Headers = (),
    *,
    key: bytes | None = b"",
    received_at: datetime,
    topic: str = "",
    partition: int = -1,
    offset: int = -1,
) -> Fact:
    """The fact in a record, all times in UTC and all money proved readable; structured or binary mode.

    `received_at` is the record's timestamp, aware; topic, partition and offset say where it lies.

    Raises:
        PermanentError: what is wrong, with a reason of its own for each kind of fault, and the field's path.
    """
    if value is None:
        raise PermanentError(Reason.NULL_VALUE, "the record has no value")
    if key is None:
        raise PermanentError(Reason.NULL_KEY, "the record has no key")
    check_size(value)
    attributes = binary_attributes(headers) if headers else None
    try:
        fact_type, event, data = _structured(value) if attributes is None else _binary(value, attributes)
        check_text(value)
        check_depth(value)
        check_name(event.program)
        check_name(event.subject)
        CHECKS[type(data)](data)
        occurred_at = utc(event.time)
    except _REFUSALS as refusal:
        raise explain(value, attributes, refusal) from None
    return Fact(
        type=fact_type,
        id=event.id,
        source=event.source,
        program=event.program,
        member=event.subject,
        occurred_at=occurred_at,
        received_at=received_at,
        data=data,
        topic=topic,
        partition=partition,
        offset=offset,
    )


def encode(fact: Fact) -> bytes:
    """A fact as a CloudEvent in structured mode, canonical: known fields only, defaults left out, time in UTC."""
    return _encode(
        ENVELOPES[fact.type](
            specversion="1.0",
            id=fact.id,
            source=fact.source,
            subject=fact.member,
            time=fact.occurred_at,
            program=fact.program,
            data=fact.data,
        )
    )


def _structured(value: bytes) -> tuple[str, Attributes, FactData]:
    event = structured.decode(value)
    return event.__struct_config__.tag, event, event.data


def _binary(value: bytes, attributes: dict[str, str]) -> tuple[str, Attributes, FactData]:
    fact_type = attributes.get("type", "")
    decoder = data_of.get(fact_type)
    if decoder is None:
        raise PermanentError(Reason.UNKNOWN_TYPE, f"no contract has the type {fact_type!r}")
    return fact_type, msgspec.convert(attributes, Attributes), decoder.decode(value)
