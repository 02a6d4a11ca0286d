"""Facts as values: what a commerce platform told us, decoded and checked. Money stays decimal text (see `shared.money`).

The structs are the hot path's mirror of the published contract in `services.earning.source_events.contract`; a test
proves that both accept and refuse the same inputs. Encoding a struct gives the canonical fact: known fields only.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from shared.point_events import Cause


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line as sold: `subtotal` for the whole quantity before discounts, `discount` the line's own."""

    line_id: str
    sku: str
    quantity: int
    subtotal: str
    discount: str = "0"
    tax: str = "0"
    product_id: str | None = None
    categories: tuple[str, ...] = ()
    gift_card: bool = False


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order as sold, before refunds (`paid` and `updated` share it)."""

    order_id: str
    currency: str
    lines: tuple[OrderLine, ...]
    discount: str = "0"
    shipping: str = "0"
    shipping_tax: str = "0"
    prices_include_tax: bool = False
    points_payment: str = "0"
    channel: str | None = None
    store: str | None = None
    exchange_rate: str | None = None
    redemptions: tuple[str, ...] = ()
    placed_at: datetime | None = None
    revision: int = 0
    test: bool = False


class OrderPaid(Order, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.paid.v1`."""


class RefundLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came back for one line: `amount` after all discounts, tax as in the order."""

    line_id: str
    amount: str
    quantity: int | None = None
    tax: str = "0"


class Refund(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One refund, inside an update or as a fact of its own; `time` is that of the fact where it names none."""

    refund_id: str
    lines: tuple[RefundLine, ...] = ()
    amount: str | None = None
    shipping: str = "0"
    tender: str = "cash"


class OrderRefunded(Refund, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.refunded.v1`."""

    order_id: str


class OrderUpdated(Order, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.updated.v1`: the whole present state, as sold, with status and refunds."""

    status: str
    refunds: tuple[Refund, ...] = ()


class OrderCancelled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.cancelled.v1`."""

    order_id: str
    revision: int = 0


class OrderFulfilled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.fulfilled.v1`."""

    order_id: str
    revision: int = 0


class MemberEnrolled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.member.enrolled.v1`."""

    segments: tuple[str, ...] = ()
    joined_at: datetime | None = None
    attributes: dict[str, str] = {}


FactData = OrderPaid | OrderRefunded | OrderUpdated | OrderCancelled | OrderFulfilled | MemberEnrolled

FACT_TYPES: dict[str, type[FactData]] = {
    "commerce.order.paid.v1": OrderPaid,
    "commerce.order.updated.v1": OrderUpdated,
    "commerce.order.refunded.v1": OrderRefunded,
    "commerce.order.cancelled.v1": OrderCancelled,
    "commerce.order.fulfilled.v1": OrderFulfilled,
    "loyalty.member.enrolled.v1": MemberEnrolled,
}
"""CloudEvents type → the class of its data."""


class Fact(msgspec.Struct, kw_only=True):
    """One input, ready to decide: who, when it happened, when it reached us, and what.

    Times are aware and in UTC; `occurred_at` is the publisher's, `received_at` the Kafka record's timestamp.
    """

    type: str
    id: str
    source: str
    program: str
    member: str
    occurred_at: datetime
    received_at: datetime
    data: FactData
    topic: str = ""
    partition: int = -1
    offset: int = -1

    @property
    def cause(self) -> Cause:
        """Where this fact came from, as its point events tell it."""
        return Cause(self.type, self.source, self.id, self.topic, self.partition, self.offset)
