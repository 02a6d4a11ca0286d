"""Mutations: real records, each changed in one or two ways that some client, proxy or person could change it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from tests.attacks.hostile import NO_TIMESTAMP, Raw

_HEADER_NAMES = (
    b"gr\xf6\xdfe",
    b"",
    b"\xff\xfe",
    b"ce_id",
    b"content-type",
    b"shard",
    b"position",
    b"type",
    b"x" * 300,
)
_HEADER_TEXTS = (
    None,
    b"",
    b"-1",
    b"0",
    b"1",
    b"999999",
    b"9223372036854775808",
    b"\xff\xfe",
    b"\x00",
    b"1e3",
    b"x" * 9_000,
)
_TIMESTAMPS = (NO_TIMESTAMP, -5_000, -(2**62), 0, 1, 1_500_000_000_000)
_TEXTS = (
    b"\x00", b"\xff", b"null", b"[]", b"{", b'"', b"9" * 400, b"-", b"1e999", b'"\\ud800"', b"true", b"." + b"0" * 300,
)  # fmt: skip

Change = Callable[[random.Random, Raw, Sequence[Raw]], Raw]


def mutated(draw: random.Random, record: Raw, others: Sequence[Raw]) -> Raw:
    """The record, changed; `others` are those that parts may come from."""
    for change in draw.choices(_CHANGES, k=draw.choice((1, 1, 2))):
        record = change(draw, record, others)
    return record


def _flipped(draw: random.Random, record: Raw, _: Sequence[Raw]) -> Raw:
    value = bytearray(_bytes(record))
    for _n in range(draw.choice((1, 1, 4))):
        if value:
            value[draw.randrange(len(value))] ^= 1 << draw.randrange(8)
    return record._replace(value=bytes(value))


def _cut(draw: random.Random, record: Raw, _: Sequence[Raw]) -> Raw:
    value = _bytes(record)
    return record._replace(value=value[: draw.randrange(len(value) + 1)])


def _inserted(draw: random.Random, record: Raw, _: Sequence[Raw]) -> Raw:
    value, place = _bytes(record), draw.randrange(len(_bytes(record)) + 1)
    return record._replace(value=value[:place] + draw.choice(_TEXTS) + value[place:])


def _other_digits(draw: random.Random, record: Raw, _: Sequence[Raw]) -> Raw:
    value = bytes(
        draw.choice(b"0123456789") if byte in b"0123456789" and draw.random() < 0.3 else byte for byte in _bytes(record)
    )
    return record._replace(value=value)


def _spliced(draw: random.Random, record: Raw, others: Sequence[Raw]) -> Raw:
    other = _bytes(draw.choice(others))
    value = _bytes(record)
    return record._replace(value=value[: draw.randrange(len(value) + 1)] + other[draw.randrange(len(other) + 1) :])


def _without_value(draw: random.Random, record: Raw, _: Sequence[Raw]) -> Raw:
    return record._replace(value=draw.choice((None, b"", b"{}")))


def _other_key(draw: random.Random, record: Raw, others: Sequence[Raw]) -> Raw:
    return record._replace(key=draw.choice((None, b"", b"\xff", b"no-slash", draw.choice(others).key)))


def _other_headers(draw: random.Random, record: Raw, others: Sequence[Raw]) -> Raw:
    headers = list(draw.choice((record, record, draw.choice(others))).headers)
    headers.insert(draw.randrange(len(headers) + 1), (draw.choice(_HEADER_NAMES), draw.choice(_HEADER_TEXTS)))
    return record._replace(headers=headers)


def _other_header_value(draw: random.Random, record: Raw, _: Sequence[Raw]) -> Raw:
    headers = list(record.headers)
    if headers:
        place = draw.randrange(len(headers))
        headers[place] = (headers[place][0], draw.choice(_HEADER_TEXTS))
    return record._replace(headers=headers)


def _without_a_header(draw: random.Random, record: Raw, _: Sequence[Raw]) -> Raw:
    headers = list(record.headers)
    if headers:
        del headers[draw.randrange(len(headers))]
    return record._replace(headers=headers)


def _other_time(draw: random.Random, record: Raw, _: Sequence[Raw]) -> Raw:
    return record._replace(timestamp_ms=draw.choice(_TIMESTAMPS))


def _same(_draw: random.Random, record: Raw, _: Sequence[Raw]) -> Raw:
    """The record again, as it is: what changes is its place."""
    return record


def _bytes(record: Raw) -> bytes:
    return record.value if isinstance(record.value, bytes) else b""


_CHANGES: tuple[Change, ...] = (
    _flipped,
    _cut,
    _inserted,
    _other_digits,
    _spliced,
    _without_value,
    _other_key,
    _other_headers,
    _other_header_value,
    _without_a_header,
    _other_time,
    _same,
)
