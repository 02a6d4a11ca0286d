"""Damage: a JSON document with values dropped, repeated or replaced by what nobody should send, and damaged bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

DEEP = 1_500
HUGE_NUMBERS = ["1e400", "-1e400", "9" * 30, "9" * 5_000, "0." + "1" * 400, "-0", "NaN", "Infinity", "1_0", "007"]
ODD_TEXTS = ["\x00", "\ud800", "\udfff\ud800", "a\u202eb", "x" * 300, "é" * 200, "😀" * 201, "/", "", " ", "null"]
PIECES = [
    b"\x00",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\\u0000",
    b"\\ud800",
    b"\\",
    b'"',
    *b"{ } [ ] , : 0 - . e9".split(),
]

odd_values: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(ODD_TEXTS),
    st.sampled_from([None, True, -1, 2**31, 2**53, 2**63, 2**64, 10**40, 1.5, [], {}, [[]], {"": {}}]),
    st.text(max_size=4),
)
number_texts = st.sampled_from(HUGE_NUMBERS)
_MARK = "~raw~"
"""Stands for a text that no serializer would write, until the document is written."""


def places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every value inside a document, by what holds it and the key or index it has there."""
    inside = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(inside):
        yield document, key
        if isinstance(value, dict | list):
            yield from places(value)


@st.composite
def damaged(draw: st.DrawFn, documents: st.SearchStrategy[Any]) -> bytes:
    """The bytes of a document with one to three faults in it."""
    document = deepcopy(draw(documents))
    raw: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(places(document))))
        match draw(st.sampled_from(["value", "value", "number", "drop", "deep", "add"])):
            case "value":
                holder[key] = draw(odd_values)
            case "number":
                raw.append(draw(number_texts))
                holder[key] = f"{_MARK}{len(raw) - 1}"
            case "drop":
                del holder[key]
            case "deep":
                raw.append(_nested(draw(st.sampled_from([25, DEEP, 100 * DEEP])), *draw(st.sampled_from(["[]", "{}"]))))
                holder[key] = f"{_MARK}{len(raw) - 1}"
            case "add" if isinstance(holder, dict):
                holder[draw(st.text(max_size=3))] = draw(odd_values)
        if not document:
            break
    value = json.dumps(document).encode()
    for number, text in enumerate(raw):
        value = value.replace(f'"{_MARK}{number}"'.encode(), text.encode())
    return value


@st.composite
def broken_bytes(draw: st.DrawFn, values: st.SearchStrategy[bytes]) -> bytes:
    """Bytes with up to four places cut, doubled or overwritten."""
    value = draw(values)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(value)))
        end = start + draw(st.integers(0, 8))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=3), st.just(value[start:end] * 2)))
        value = value[:start] + piece + value[end:]
    return value


def _nested(levels: int, opens: str, closes: str) -> str:
    inner = '{"a":' if opens == "{" else opens
    return inner * levels + "1" + closes * levels
