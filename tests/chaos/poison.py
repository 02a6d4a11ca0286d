"""Poison: records that no platform should send and some platform will, each a dead letter and nothing worse."""

from __future__ import annotations

import json
import random
from typing import Any

from shared.broker import Outgoing

HUGE_BYTES = 1_200_000
"""Over what the codec takes (1 MiB), under what the topic takes."""

_GOOD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "p",
    "source": "shop-eu",
    "type": "commerce.order.paid.v1",
    "subject": "m-0001",
    "time": "2025-03-01T00:00:00Z",
    "program": "shop",
    "data": {
        "order_id": "p",
        "currency": "EUR",
        "lines": [{"line_id": "1", "sku": "s", "quantity": 1, "subtotal": "1"}],
    },
}


def _but(**changes: Any) -> bytes:
    return json.dumps({**_GOOD, **changes}).encode()


def _line(**changes: Any) -> bytes:
    line = {**_GOOD["data"]["lines"][0], **changes}
    return _but(data={**_GOOD["data"], "lines": [line]})


SAMPLES: tuple[bytes | None, ...] = (
    None,
    b"",
    b"not json",
    b"\x00\x01\xff\xfe",
    b"[]",
    b"{" * 400,
    b"[" * 100_000,
    b'{"specversion":"1.0","id":"\\ud800"}',
    _but(subject="nul\x00byte"),
    _but(subject=""),
    _but(subject="x" * 300),
    _but(specversion="0.3"),
    _but(type="commerce.order.teleported.v1"),
    _but(program="nobody-has-this-program"),
    _but(time="yesterday"),
    _but(time="2999-01-01T00:00:00Z"),
    _but(data=None),
    _but(data={"order_id": "p"}),
    _line(subtotal=12.5),
    _line(subtotal="1e400"),
    _line(subtotal="9" * 5_000),
    _line(subtotal="1.23456789"),
    _line(quantity=10**30),
    _but(data={**_GOOD["data"], "currency": "XQZ"}),
)


def record(draw: random.Random, key: bytes) -> Outgoing:
    """One such record: mostly the value is the poison, sometimes key or headers are."""
    if draw.random() < 0.01:
        return Outgoing(key, b'{"pad":"' + b"x" * HUGE_BYTES + b'"}')
    wrong_key = draw.choice((None, b"", b"\xff\xfe", b"no-slash")) if draw.random() < 0.2 else key
    headers = [("ce_specversion", b"\xff"), ("ce_", None)] if draw.random() < 0.1 else []
    return Outgoing(wrong_key, draw.choice(SAMPLES), headers)
