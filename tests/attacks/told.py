"""Facts as a shop tells them, each a CloudEvent of the smallest program there is."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from shared.shards import member_key

PROGRAM = "corner-shop"
MINIMAL = f"""
program: {PROGRAM}
effective_from: 2025-01-01T00:00:00+01:00
currency: EUR
time_zone: Europe/Berlin
rules:
  - id: base
    rate: 1
"""

Fact = dict[str, Any]


def fact(type_: str, member: str, data: Fact, *, program: str = PROGRAM, at: datetime | None = None) -> Fact:
    """A CloudEvent about a member; `at`: when it happened, by default now."""
    return {
        "specversion": "1.0",
        "type": type_,
        "id": str(time.perf_counter_ns()),
        "source": "till",
        "program": program,
        "subject": member,
        "time": (at or datetime.now(UTC)).isoformat(),
        "data": data,
    }


def line(number: int | str = 1, amount: str = "10.00") -> Fact:
    """A line of an order."""
    return {"line_id": str(number), "sku": "x", "quantity": 1, "subtotal": amount}


def order(member: str, order_id: str, amount: str = "10.00", *, at: datetime | None = None, lines: int = 1) -> Fact:
    """An order that was paid, of some lines of the same amount."""
    data = {"order_id": order_id, "currency": "EUR", "lines": [line(one + 1, amount) for one in range(lines)]}
    return fact("commerce.order.paid.v1", member, data, at=at)


def refunded(member: str, order_id: str, refund_id: str, amounts: dict[str, str]) -> Fact:
    """A refund: line → amount."""
    lines = [{"line_id": line_id, "amount": amount} for line_id, amount in amounts.items()]
    data = {"order_id": order_id, "refund_id": refund_id, "lines": lines}
    return fact("commerce.order.refunded.v1", member, data)


def redemption(member: str, redemption_id: str, points: int) -> Fact:
    """Points are asked for."""
    return fact("loyalty.redemption.requested.v1", member, {"redemption_id": redemption_id, "points": points})


def claimed(member: str, guest: str) -> Fact:
    """A guest's id turns out to be a member's."""
    return fact("loyalty.member.claimed.v1", member, {"from": guest})


def key_of(told: Fact) -> bytes:
    """The key of its record."""
    return member_key(told["program"], told["subject"]).encode()


def value_of(told: Fact) -> bytes:
    """The bytes of its record."""
    return json.dumps(told).encode()
