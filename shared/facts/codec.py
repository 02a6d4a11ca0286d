"""Bytes to facts: CloudEvents 1.0, structured or binary mode."""

from __future__ import annotations

import msgspec

from shared.codec import Headers
from shared.errors import PermanentError
from shared.facts.checks import check_name, utc
from shared.facts.explain import explain
from shared.facts.fact import FACT_TYPES, Attributes, FactData, data_decoder, structured
from shared.facts.headers import binary_attributes
from shared.facts.limits import check_depth, check_size, check_text
from shared.reasons import Reason

_REFUSALS = (msgspec.MsgspecError, PermanentError, UnicodeDecodeError, RecursionError)


def decode(value: bytes, headers: Headers = ()) -> tuple[Attributes, FactData]:
    """What a record says of a fact, and its data; all times in UTC and all money proved readable.

    Raises:
        PermanentError: what is wrong, with a reason of its own for each kind of fault, and the field's path.
    """
    check_size(value)
    attributes = binary_attributes(headers) if headers else None
    try:
        event, data = _structured(value) if attributes is None else _binary(value, attributes)
        check_text(value)
        check_depth(value)
        check_name(event.program)
        check_name(event.subject)
        data.check()
        event.time = utc(event.time)
    except _REFUSALS as refusal:
        raise explain(value, attributes, refusal) from None
    return event, data


def _structured(value: bytes) -> tuple[Attributes, FactData]:
    event = structured().decode(value)
    return event, event.data


def _binary(value: bytes, attributes: dict[str, str]) -> tuple[Attributes, FactData]:
    fact_type = attributes.get("type", "")
    data_class = FACT_TYPES.get(fact_type)
    if data_class is None:
        raise PermanentError(Reason.UNKNOWN_TYPE, f"no contract has the type {fact_type!r}")
    return msgspec.convert(attributes, Attributes), data_decoder(data_class).decode(value)
