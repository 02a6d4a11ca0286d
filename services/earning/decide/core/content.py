"""Content: facts as books keep them. Money becomes whole micros; content becomes a hash, the same on every machine.

Rules 11 and 51.
"""

from __future__ import annotations

from hashlib import blake2b
from operator import attrgetter

import msgspec

from services.earning.source_events.facts import Fact
from services.earning.state.keys import RefundedLine, RefundKnown, Sold, SoldLine
from shared.facts.orders import Order, Refund
from shared.money import micros

_LINE_ID = attrgetter("line_id")

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def content_hash(fact: Fact) -> int:
    """The content of a fact as 63 bits: its type, its time and its data, whatever its envelope's id."""
    content = _encode((fact.type, fact.occurred_at, fact.data))
    return int.from_bytes(blake2b(content, digest_size=8).digest()) >> 1


def command_hash(fact: Fact) -> int:
    """The content of a command as 63 bits: its data alone, whenever and however often it was sent."""
    return int.from_bytes(blake2b(_encode((fact.type, fact.data)), digest_size=8).digest()) >> 1


def sold_of(order: Order) -> Sold:
    """An order as sold, lines by line_id."""
    lines = [
        SoldLine(
            line.line_id,
            line.sku,
            line.categories,
            line.quantity,
            micros(line.subtotal),
            micros(line.discount),
            micros(line.tax),
            line.gift_card,
        )
        for line in order.lines
    ]
    lines.sort(key=_LINE_ID)
    return Sold(
        order.currency,
        tuple(lines),
        micros(order.discount),
        micros(order.shipping),
        micros(order.shipping_tax),
        order.prices_include_tax,
        micros(order.points_payment),
        None if order.exchange_rate is None else micros(order.exchange_rate),
        order.test,
    )


def refund_of(fact: Fact, refund: Refund) -> RefundKnown:
    """A refund as told by a fact: of its own, or by an update."""
    content = _encode((refund.refund_id, refund.lines, refund.amount, refund.shipping, refund.tender))
    return RefundKnown(
        fact.occurred_at,
        int.from_bytes(blake2b(content, digest_size=8).digest()) >> 1,
        tuple(
            RefundedLine(line.line_id, micros(line.amount), line.quantity, micros(line.tax)) for line in refund.lines
        ),
        None if refund.amount is None else micros(refund.amount),
        micros(refund.shipping),
        refund.tender,
    )
