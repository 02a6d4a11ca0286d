"""The CloudEvents envelope of a fact, in both modes: its attributes, and one decoder for all types in a single pass."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, Union

import msgspec

from services.earning.source_events.facts import FACT_TYPES
from shared.errors import PermanentError
from shared.facts.values import Id, Instant
from shared.reasons import Reason

Headers = Sequence[tuple[str, bytes | None]]
"""Kafka headers as aiokafka hands them over: a name may repeat, a value may be null."""

HEADER_PREFIX = "ce_"
STRUCTURED = "application/cloudevents+json"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Attributes(msgspec.Struct, kw_only=True):
    """What says whose fact it is, and when it happened. The type is the tag of the envelope's class."""

    specversion: Literal["1.0"]
    id: Id
    source: Id
    subject: Id
    time: Instant
    program: Id


ENVELOPES: dict[str, type[msgspec.Struct]] = {
    fact_type: msgspec.defstruct(
        data_class.__name__, [("data", data_class)], bases=(Attributes,), tag_field="type", tag=fact_type, kw_only=True
    )
    for fact_type, data_class in FACT_TYPES.items()
}
"""CloudEvents type → the struct of its whole envelope."""

structured: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Union[tuple(ENVELOPES.values())])  # noqa: UP007 (made at run time)
"""Decodes an envelope of any type, data included."""

data_of: dict[str, msgspec.json.Decoder[Any]] = {
    fact_type: msgspec.json.Decoder(data_class) for fact_type, data_class in FACT_TYPES.items()
}
"""CloudEvents type → the decoder of its data alone (binary mode)."""


def binary_attributes(headers: Headers) -> dict[str, str] | None:
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


def check_name(name: str) -> None:
    """Refuse a program or member that can't be part of a key: `/` separates the two, and control characters hide.

    Raises:
        PermanentError: `out_of_range`, or `invalid_text` for control characters.
    """
    if "/" in name:
        raise PermanentError(Reason.OUT_OF_RANGE, f"{name!r} holds a slash")
    if not name.isprintable() and _CONTROL.search(name):
        raise PermanentError(Reason.INVALID_TEXT, f"{name!r} holds a control character")
