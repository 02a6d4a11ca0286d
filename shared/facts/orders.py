"""Orders as facts: what was sold, paid, given back, cancelled or sent."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.facts.values import LINES_MAX, Id, Ids, Instant, Money, Quantity, Revision, Status, Tender


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line as sold: `subtotal` for the whole quantity before discounts, `discount` the line's own."""

    line_id: Id
    sku: Id
    quantity: Quantity
    subtotal: Money
    discount: Money = "0"
    tax: Money = "0"
    product_id: Id | None = None
    categories: Ids = ()
    gift_card: bool = False


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order as sold, before refunds (`paid` and `updated` share it)."""

    order_id: Id
    currency: str
    lines: Annotated[tuple[OrderLine, ...], Meta(max_length=LINES_MAX)]
    discount: Money = "0"
    shipping: Money = "0"
    shipping_tax: Money = "0"
    prices_include_tax: bool = False
    points_payment: Money = "0"
    channel: Id | None = None
    store: Id | None = None
    exchange_rate: Money | None = None
    redemptions: Ids = ()
    placed_at: Instant | None = None
    revision: Revision = 0
    test: bool = False


class OrderPaid(Order, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.paid.v1`."""


class RefundLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came back for one line: `amount` after all discounts, tax as in the order."""

    line_id: Id
    amount: Money
    quantity: Quantity | None = None
    tax: Money = "0"


class Refund(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One refund, inside an update or as a fact of its own; `time` is that of the fact where it names none."""

    refund_id: Id
    lines: Annotated[tuple[RefundLine, ...], Meta(max_length=LINES_MAX)] = ()
    amount: Money | None = None
    shipping: Money = "0"
    tender: Tender = "cash"


class OrderRefunded(Refund, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.refunded.v1`."""

    order_id: Id


class OrderUpdated(Order, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.updated.v1`: the whole present state, as sold, with status and refunds."""

    status: Status
    refunds: Annotated[tuple[Refund, ...], Meta(max_length=LINES_MAX)] = ()


class OrderCancelled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.cancelled.v1`."""

    order_id: Id
    revision: Revision = 0


class OrderFulfilled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.fulfilled.v1`."""

    order_id: Id
    revision: Revision = 0
