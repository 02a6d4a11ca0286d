"""Orders as facts: what was sold, paid, given back, cancelled or sent."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from shared.facts.checks import check_currency, check_line_ids, check_rate, utc
from shared.facts.fact import FactData
from shared.facts.values import (
    LINES_MAX,
    Currency,
    Id,
    Ids,
    Instant,
    Money,
    Quantity,
    Rate,
    Revision,
    Status,
    Tender,
)
from shared.money import micros


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an order, as it was sold."""

    line_id: Annotated[Id, Meta(description="Names the line within its order, for refunds.", examples=["1"])]
    sku: Annotated[Id, Meta(description="What was sold; rules can select it.", examples=["tea-500g"])]
    quantity: Annotated[Quantity, Meta(description="Units sold.", examples=[2])]
    subtotal: Annotated[
        Money, Meta(description="Price of the whole quantity before any discount, in the order's currency.")
    ]
    discount: Annotated[Money, Meta(description="The line's own discount, in the order's currency.")] = "0"
    tax: Annotated[Money, Meta(description="Tax finally charged on the line, in the order's currency.")] = "0"
    product_id: Annotated[Id | None, Meta(description="The product, where several skus are one product.")] = None
    categories: Annotated[Ids, Meta(description="Categories of the product; rules can select them.")] = ()
    gift_card: Annotated[bool, Meta(description="Whether the line sells a gift card.")] = False


class Order(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """An order as sold, before refunds (`paid` and `updated` share it)."""

    TOPIC = "orders"

    order_id: Annotated[
        Id, Meta(description="The order's id in its shop; with `source` its business key.", examples=["o-1001"])
    ]
    currency: Annotated[Currency, Meta(description="ISO 4217 code of all amounts.", examples=["EUR"])]
    lines: Annotated[
        tuple[OrderLine, ...],
        Meta(
            max_length=LINES_MAX,
            description="All lines; each with a line_id of its own.",
            extra={"check": check_line_ids},
        ),
    ]
    discount: Annotated[Money, Meta(description="Discount on the whole order, on top of the lines' own.")] = "0"
    shipping: Annotated[Money, Meta(description="Shipping; holds its tax where prices include tax.")] = "0"
    shipping_tax: Annotated[Money, Meta(description="Tax on shipping.")] = "0"
    prices_include_tax: Annotated[bool, Meta(description="Whether subtotals, discounts and shipping hold the tax.")] = (
        False
    )
    points_payment: Annotated[Money, Meta(description="The part that was paid with points, as money.")] = "0"
    channel: Annotated[
        Id | None, Meta(description="Where it was sold (`web`, `app`, `store`); rules can ask for it.")
    ] = None
    store: Annotated[Id | None, Meta(description="The store; rules can ask for it.")] = None
    exchange_rate: Annotated[
        Rate | None,
        Meta(description="Program currency for 1 unit of the order's currency; needed where the two differ."),
    ] = None
    redemptions: Annotated[Ids, Meta(description="Ids of the redemptions that paid for a part of the order.")] = ()
    placed_at: Annotated[Instant | None, Meta(description="When the order was placed, if not when it was paid.")] = None
    revision: Annotated[
        Revision, Meta(description="The shop's own count of changes; decides between changes of one time.")
    ] = 0
    test: Annotated[bool, Meta(description="Whether it is a test order, which earns nothing.")] = False

    def check(self) -> None:
        """As every fact's check, written out: most facts are orders, and so it takes a third of the time.

        Raises:
            PermanentError: with the check's reason; without a field.
        """
        check_currency(self.currency)
        check_line_ids(self.lines)
        for line in self.lines:
            micros(line.subtotal)
            micros(line.discount)
            micros(line.tax)
        micros(self.discount)
        micros(self.shipping)
        micros(self.shipping_tax)
        micros(self.points_payment)
        if self.exchange_rate is not None:
            check_rate(self.exchange_rate)
        if self.placed_at is not None:
            force_setattr(self, "placed_at", utc(self.placed_at))


class RefundLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came back for one line."""

    line_id: Annotated[Id, Meta(description="The line of the order.")]
    amount: Annotated[
        Money, Meta(description="What came back for it after all discounts; with or without tax as in the order.")
    ]
    quantity: Annotated[Quantity | None, Meta(description="Units that came back.")] = None
    tax: Annotated[Money, Meta(description="Tax that came back on top, where prices don't include it.")] = "0"


class Refund(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Money given back, by line or as an amount."""

    refund_id: Annotated[Id, Meta(description="The refund's id within its order: each counts once.")]
    lines: Annotated[
        tuple[RefundLine, ...], Meta(max_length=LINES_MAX, description="What came back, line by line.")
    ] = ()
    amount: Annotated[
        Money | None, Meta(description="All cash paid back, tax included, where lines don't say it all.")
    ] = None
    shipping: Annotated[Money, Meta(description="Shipping paid back.")] = "0"
    tender: Annotated[Tender, Meta(description="How it was paid back.")] = "cash"

    def check(self) -> None:
        """As every fact's check, written out as an order's is.

        Raises:
            PermanentError: with the check's reason; without a field.
        """
        for line in self.lines:
            micros(line.amount)
            micros(line.tax)
        micros(self.shipping)
        if self.amount is not None:
            micros(self.amount)


class OrderPaid(Order, frozen=True, kw_only=True, omit_defaults=True):
    """An order was paid."""

    TYPE = "commerce.order.paid.v1"


class OrderUpdated(Order, frozen=True, kw_only=True, omit_defaults=True):
    """An order changed: its whole present state as sold, with its status and all its refunds."""

    TYPE = "commerce.order.updated.v1"

    status: Annotated[Status, Meta(description="Where the order stands now.")]
    refunds: Annotated[tuple[Refund, ...], Meta(max_length=LINES_MAX, description="Every refund so far.")] = ()

    def check(self) -> None:
        """As every order's check, and each refund's.

        Raises:
            PermanentError: with the check's reason; without a field.
        """
        super().check()
        for refund in self.refunds:
            refund.check()


class OrderRefunded(Refund, FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A part of an order, or all of it, was refunded."""

    TYPE = "commerce.order.refunded.v1"
    TOPIC = "orders"

    order_id: Annotated[Id, Meta(description="The order refunded. It may arrive later.")]


class OrderCancelled(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """An order was cancelled."""

    TYPE = "commerce.order.cancelled.v1"
    TOPIC = "orders"

    order_id: Annotated[Id, Meta(description="The order cancelled. It may arrive later.")]
    revision: Annotated[Revision, Meta(description="The shop's own count of changes.")] = 0


class OrderFulfilled(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """An order was handed over or delivered."""

    TYPE = "commerce.order.fulfilled.v1"
    TOPIC = "orders"

    order_id: Annotated[Id, Meta(description="The order fulfilled. It may arrive later.")]
    revision: Annotated[Revision, Meta(description="The shop's own count of changes.")] = 0
