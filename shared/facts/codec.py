"""Bytes to facts: CloudEvents 1.0, structured or binary mode."""

from __future__ import annotations

import msgspec

from shared.codec import STRUCTURED, Headers
from shared.errors import PermanentError
from shared.facts.checks import check_name, utc
from shared.facts.explain import explain
from shared.facts.fact import FACT_TYPES, Attributes, FactData, data_decoder, structured
from shared.facts.limits import check_depth, check_size, check_text
from shared.reasons import Reason

HEADER_PREFIX = "ce_"
"""Before the name of an attribute in binary mode, beside headers of others."""

_REFUSALS = (msgspec.MsgspecError, PermanentError, UnicodeDecodeError, RecursionError)


def decode(value: bytes, headers: Headers = ()) -> tuple[Attributes, FactData]:
    """What a record says of a fact, and its data; all times in UTC and all money proved readable.

    Raises:
        PermanentError: what is wrong, with a reason of its own for each kind of fault, and the field's path.
    """
    check_size(value)
    attributes = _binary_attributes(headers) if headers else None
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


def _binary_attributes(headers: Headers) -> dict[str, str] | None:
    """The CloudEvents attributes in the headers `ce_…`, without the prefix; None: the record is in structured mode.

    Raises:
        PermanentError: `invalid_headers` for a header that is null, not UTF-8, or there twice.
    """
    found: dict[str, str] = {}
    for name, raw in headers:
        if name == "content-type":
            if _text(name, raw).lower().startswith(STRUCTURED):
                return None
        elif name.startswith(HEADER_PREFIX):
            attribute = name.removeprefix(HEADER_PREFIX)
            if attribute in found:
                raise PermanentError(Reason.INVALID_HEADERS, f"header {name} is there twice", field=name)
            found[attribute] = _text(name, raw)
    return found or None


def _text(name: str, raw: bytes | None) -> str:
    if raw is None:
        raise PermanentError(Reason.INVALID_HEADERS, f"header {name} is null", field=name)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise PermanentError(Reason.INVALID_HEADERS, f"header {name} is not UTF-8", field=name) from error
    if "\x00" in text:
        raise PermanentError(Reason.INVALID_TEXT, f"header {name} holds a NUL", field=name)
    return text
