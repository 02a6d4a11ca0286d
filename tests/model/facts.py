"""Random facts: orders with odd money, refunds of any shape, and times around the moments that matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from services.earning.source_events.facts import FACT_TYPES, Fact, FactData, Order, OrderLine, Refund, RefundLine
from shared.money import decimal
from tests.model.days import day_start, local_date, plus_months
from tests.model.programs import CATEGORIES, CHANNELS, SKUS, STORES

CENT = 10_000
TYPES = {kind: name for name, kind in FACT_TYPES.items()}


def fact(data: FactData, member: str, occurred_at: datetime, received_at: datetime, number: int) -> Fact:
    """A fact in its envelope."""
    return Fact(
        type=TYPES[type(data)],
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


def amounts(most_cents: int = 6_000) -> st.SearchStrategy[str]:
    """Money: mostly cents, now and then finer."""
    cents = st.integers(0, most_cents).map(lambda cents: decimal(cents * CENT))
    fine = st.integers(0, most_cents * 100).map(lambda part: decimal(part * CENT // 100))
    return st.one_of(cents, cents, cents, fine)


@st.composite
def lines(draw: st.DrawFn, number: int) -> OrderLine:
    """A line as sold."""
    return OrderLine(
        line_id=f"l{number}",
        sku=draw(st.sampled_from(SKUS)),
        quantity=draw(st.integers(1, 3)),
        subtotal=draw(st.one_of(st.sampled_from(("10", "19.99", "20", "49.9", "100", "7.35", "0")), amounts())),
        discount=draw(st.one_of(st.just("0"), st.just("0"), amounts(1_000))),
        tax=draw(st.one_of(st.just("0"), amounts(900))),
        categories=tuple(sorted(draw(st.frozensets(st.sampled_from(CATEGORIES), max_size=2)))),
        gift_card=draw(st.integers(0, 9)) == 9,
    )


@st.composite
def orders(draw: st.DrawFn, order_id: str, currency: str, placed_at: datetime | None) -> dict[str, Any]:
    """The fields of an order as sold."""
    foreign = draw(st.integers(0, 7)) == 7
    return {
        "order_id": order_id,
        "currency": "USD" if foreign else currency,
        "lines": tuple(draw(lines(number)) for number in range(1, 1 + draw(st.integers(1, 4)))),
        "discount": draw(st.one_of(st.just("0"), st.just("0"), amounts(3_000))),
        "shipping": draw(st.one_of(st.just("0"), amounts(700))),
        "shipping_tax": draw(st.one_of(st.just("0"), amounts(100))),
        "prices_include_tax": draw(st.booleans()),
        "points_payment": draw(st.one_of(st.just("0"), st.just("0"), amounts(3_000))),
        "channel": draw(st.sampled_from((None, *CHANNELS))),
        "store": draw(st.sampled_from((None, *STORES))),
        "exchange_rate": draw(st.sampled_from(("0.92", "1.234567", "151.3"))) if foreign else None,
        "placed_at": placed_at,
        "test": draw(st.integers(0, 19)) == 19,
    }


@st.composite
def refunds(draw: st.DrawFn, refund_id: str, order: Order) -> Refund:
    """A refund in any shape: lines, an amount, shipping, all of them, or too much of everything."""
    known, ships = order.lines, order.shipping != "0"
    named = draw(st.lists(st.sampled_from([*[line.line_id for line in known], "l1", "l9"]), max_size=3, unique=True))
    subtotals = {line.line_id: line.subtotal for line in known}
    parts = [
        RefundLine(
            line_id=line_id,
            amount=draw(st.one_of(amounts(), st.just(subtotals.get(line_id, "5")))),
            quantity=draw(st.sampled_from((None, 1, 3))),
            tax=draw(st.one_of(st.just("0"), amounts(500))),
        )
        for line_id in named
    ]
    return Refund(
        refund_id=refund_id,
        lines=tuple(parts),
        amount=draw(st.one_of(st.none(), amounts(9_000))),
        shipping=draw(st.one_of(st.just("0"), st.just("0"), amounts(700), st.just(order.shipping))) if ships else "0",
        tender=draw(st.sampled_from(("cash", "cash", "cash", "store_credit"))),
    )


@st.composite
def later(draw: st.DrawFn, now: datetime, zone: ZoneInfo) -> datetime:
    """A moment after (or at) another: a little, a lot, or on the edge of a local day, month or year."""
    today = local_date(now, zone)
    tomorrow = today + timedelta(days=1)
    edge = draw(
        st.sampled_from(
            (
                None,
                None,
                day_start(tomorrow, zone),
                day_start(plus_months(today.replace(day=1), 1), zone),
                day_start(today.replace(month=1, day=1).replace(year=today.year + 1), zone),
            )
        )
    )
    if edge is None:
        return now + draw(
            st.sampled_from(
                (
                    timedelta(),
                    timedelta(seconds=1),
                    timedelta(minutes=10),
                    timedelta(minutes=70),
                    timedelta(hours=9),
                    timedelta(days=1),
                    timedelta(days=20),
                    timedelta(days=100),
                )
            )
        )
    return max(now, edge + draw(st.sampled_from((timedelta(seconds=-1), timedelta(), timedelta(seconds=1)))))


@st.composite
def earlier(draw: st.DrawFn, now: datetime, zone: ZoneInfo) -> datetime:
    """When something that arrives now had happened: mostly just before, now and then by a clock that is ahead."""
    happened = now - draw(
        st.sampled_from(
            (
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
        )
    )
    return happened if local_date(happened, zone) <= local_date(now, zone) else now


START = datetime(2024, 1, 30, 12, tzinfo=UTC)
