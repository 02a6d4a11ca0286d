"""Random facts: orders with odd money, refunds of any shape, and times around the moments that matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.earning.source_events.facts import Fact
from shared.facts.fact import FactData
from shared.facts.orders import Order, OrderLine, Refund, RefundLine
from shared.money import decimal
from tests.support.model.chance import Chance
from tests.support.model.days import day_start, local_date, plus_months
from tests.support.model.programs import CATEGORIES, CHANNELS, SKUS, STORES

START = datetime(2024, 1, 30, 12, tzinfo=UTC)
CENT = 10_000
WAITS = (
    timedelta(),
    timedelta(seconds=1),
    timedelta(minutes=10),
    timedelta(minutes=70),
    timedelta(hours=9),
    timedelta(days=1),
    timedelta(days=20),
    timedelta(days=100),
)
AGES = (
    timedelta(),
    timedelta(),
    timedelta(),
    timedelta(),
    timedelta(seconds=2),
    timedelta(minutes=40),
    timedelta(hours=3),
    timedelta(days=1),
    timedelta(days=40),
    timedelta(days=400),
    timedelta(minutes=-4),
)


def fact(data: FactData, member: str, occurred_at: datetime, received_at: datetime, number: int) -> Fact:
    """A fact in its envelope."""
    return Fact(
        type=data.TYPE,
        id=f"e{number}",
        source="shop",
        program="club",
        member=member,
        occurred_at=occurred_at,
        received_at=received_at,
        data=data,
        topic="orders",
        partition=0,
        offset=number,
    )


def amount(chance: Chance, most_cents: int = 6_000) -> str:
    """Money: mostly cents, now and then finer."""
    if chance.once_in(4):
        return decimal(chance.number(0, most_cents * 100) * CENT // 100)
    return decimal(chance.number(0, most_cents) * CENT)


def seldom(chance: Chance, most_cents: int, times: int = 3) -> str:
    """Mostly nothing."""
    return amount(chance, most_cents) if chance.once_in(times) else "0"


def line(chance: Chance, number: int) -> OrderLine:
    """A line as sold."""
    return OrderLine(
        line_id=f"l{number}",
        sku=chance.among(SKUS),
        quantity=chance.number(1, 3),
        subtotal=chance.one("10", "19.99", "49.9", "100", "0", amount(chance), amount(chance)),
        discount=seldom(chance, 1_000),
        tax=seldom(chance, 900, 2),
        categories=tuple(chance.subset(sorted(CATEGORIES), 0, 2)),
        gift_card=chance.once_in(10),
    )


def order(chance: Chance, order_id: str, currency: str, placed_at: datetime | None) -> dict[str, Any]:
    """The fields of an order as sold."""
    foreign = chance.once_in(8)
    return {
        "order_id": order_id,
        "currency": "USD" if foreign else currency,
        "lines": tuple(line(chance, number) for number in range(1, 1 + chance.number(1, 4))),
        "discount": seldom(chance, 3_000),
        "shipping": seldom(chance, 700, 2),
        "shipping_tax": seldom(chance, 100, 2),
        "prices_include_tax": chance.once_in(2),
        "points_payment": seldom(chance, 3_000),
        "channel": chance.one(None, *CHANNELS),
        "store": chance.one(None, *STORES),
        "exchange_rate": chance.one("0.92", "1.234567", "151.3") if foreign else None,
        "placed_at": placed_at,
        "test": chance.once_in(20),
    }


def refund(chance: Chance, refund_id: str, sold: Order) -> Refund:
    """A refund in any shape: lines, an amount, shipping, all of them, or too much of everything."""
    subtotals = {known.line_id: known.subtotal for known in sold.lines} | {"l9": "5"}
    parts = [
        RefundLine(
            line_id=line_id,
            amount=chance.one(amount(chance), subtotals[line_id]),
            quantity=chance.one(None, 1, 3),
            tax=seldom(chance, 500, 2),
        )
        for line_id in chance.subset(sorted(subtotals), 0, 3)
    ]
    ships = sold.shipping != "0"
    return Refund(
        refund_id=refund_id,
        lines=tuple(parts),
        amount=chance.one(None, amount(chance, 9_000)),
        shipping=chance.one("0", "0", amount(chance, 700), sold.shipping) if ships else "0",
        tender=chance.one("cash", "cash", "cash", "store_credit"),
    )


def later(chance: Chance, now: datetime, zone: ZoneInfo) -> datetime:
    """A moment after (or at) another: a little, a lot, or on the edge of a local day, month or year."""
    if chance.once_in(2):
        return now + chance.among(WAITS)
    today = local_date(now, zone)
    edge = chance.one(
        today + timedelta(days=1),
        plus_months(today.replace(day=1), 1),
        today.replace(year=today.year + 1, month=1, day=1),
    )
    return max(now, day_start(edge, zone) + chance.one(-1, 0, 1) * timedelta(seconds=1))


def earlier(chance: Chance, now: datetime, zone: ZoneInfo) -> datetime:
    """When something that arrives now had happened: mostly just before, now and then by a clock that is ahead."""
    happened = now - chance.among(AGES)
    return happened if local_date(happened, zone) <= local_date(now, zone) else now
