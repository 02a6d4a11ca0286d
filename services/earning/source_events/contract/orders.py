"""The contract of order facts: paid, updated, refunded, cancelled, fulfilled."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from services.earning.source_events.checks import check_line_ids
from services.earning.source_events.contract.fields import (
    Contract,
    Currency,
    Id,
    Ids,
    Instant,
    Money,
    Quantity,
    Rate,
    Revision,
    refusing,
)
from shared.facts import values as kinds


class OrderLine(Contract):
    """One line of an order, as it was sold."""

    line_id: Id = Field(description="Names the line within its order, for refunds.", examples=["1"])
    sku: Id = Field(description="What was sold; rules can select it.", examples=["tea-500g"])
    quantity: Quantity = Field(description="Units sold.", examples=[2])
    subtotal: Money = Field(description="Price of the whole quantity before any discount, in the order's currency.")
    discount: Money = Field("0", description="The line's own discount, in the order's currency.")
    tax: Money = Field("0", description="Tax finally charged on the line, in the order's currency.")
    product_id: Id | None = Field(None, description="The product, where several skus are one product.")
    categories: Ids = Field((), description="Categories of the product; rules can select them.")
    gift_card: bool = Field(default=False, description="Whether the line sells a gift card.")


class Order(Contract):
    """An order as sold, before refunds."""

    order_id: Id = Field(description="The order's id in its shop; with `source` its business key.", examples=["o-1001"])
    currency: Currency = Field(description="ISO 4217 code of all amounts.", examples=["EUR"])
    lines: Annotated[tuple[OrderLine, ...], AfterValidator(refusing(check_line_ids))] = Field(
        max_length=kinds.LINES_MAX, description="All lines; each with a line_id of its own."
    )
    discount: Money = Field("0", description="Discount on the whole order, on top of the lines' own.")
    shipping: Money = Field("0", description="Shipping; holds its tax where prices include tax.")
    shipping_tax: Money = Field("0", description="Tax on shipping.")
    prices_include_tax: bool = Field(
        default=False, description="Whether subtotals, discounts and shipping hold the tax."
    )
    points_payment: Money = Field("0", description="The part that was paid with points, as money.")
    channel: Id | None = Field(None, description="Where it was sold (`web`, `app`, `store`); rules can ask for it.")
    store: Id | None = Field(None, description="The store; rules can ask for it.")
    exchange_rate: Rate | None = Field(
        None, description="Program currency for 1 unit of the order's currency; needed where the two differ."
    )
    redemptions: Ids = Field((), description="Ids of the redemptions that paid for a part of the order.")
    placed_at: Instant | None = Field(None, description="When the order was placed, if not when it was paid.")
    revision: Revision = Field(0, description="The shop's own count of changes; decides between changes of one time.")
    test: bool = Field(default=False, description="Whether it is a test order, which earns nothing.")


class OrderPaid(Order):
    """An order was paid."""


class RefundLine(Contract):
    """What came back for one line."""

    line_id: Id = Field(description="The line of the order.")
    amount: Money = Field(description="What came back for it after all discounts; with or without tax as in the order.")
    quantity: Quantity | None = Field(None, description="Units that came back.")
    tax: Money = Field("0", description="Tax that came back on top, where prices don't include it.")


class Refund(Contract):
    """Money given back, by line or as an amount."""

    refund_id: Id = Field(description="The refund's id within its order: each counts once.")
    lines: tuple[RefundLine, ...] = Field((), max_length=kinds.LINES_MAX, description="What came back, line by line.")
    amount: Money | None = Field(None, description="All cash paid back, tax included, where lines don't say it all.")
    shipping: Money = Field("0", description="Shipping paid back.")
    tender: kinds.Tender = Field("cash", description="How it was paid back.")


class OrderRefunded(Refund):
    """A part of an order, or all of it, was refunded."""

    order_id: Id = Field(description="The order refunded. It may arrive later.")


class OrderUpdated(Order):
    """An order changed: its whole present state as sold, with its status and all its refunds."""

    status: kinds.Status = Field(description="Where the order stands now.")
    refunds: tuple[Refund, ...] = Field((), max_length=kinds.LINES_MAX, description="Every refund so far.")


class OrderCancelled(Contract):
    """An order was cancelled."""

    order_id: Id = Field(description="The order cancelled. It may arrive later.")
    revision: Revision = Field(0, description="The shop's own count of changes.")


class OrderFulfilled(Contract):
    """An order was handed over or delivered."""

    order_id: Id = Field(description="The order fulfilled. It may arrive later.")
    revision: Revision = Field(0, description="The shop's own count of changes.")
