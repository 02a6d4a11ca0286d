"""The state of an order: its facts, in whatever order they came, become one book. Rules 6, 8, 11, 13, 34 and 51."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.earning.decide.core.content import content_hash, refund_of, sold_of
from services.earning.source_events.facts import Fact
from services.earning.state.keys import CANCELLED, FULFILLED, PAID, UPDATED, Change, OrderState, Rate, RefundKnown
from shared.facts.orders import Order, OrderCancelled, OrderFulfilled, OrderPaid, OrderRefunded, OrderUpdated
from shared.money import micros

OrderFact = Order | OrderCancelled | OrderFulfilled | OrderRefunded


class Known(msgspec.Struct, frozen=True):
    """What all changes of an order say: its status, and the time of its earliest payment, or else fulfilment.

    `counting` is the payment that counts: the first since the order was last cancelled; `fulfilled_at` the first
    fulfilment since then.
    """

    status: str
    paid_at: datetime | None
    counting: datetime | None
    fulfilled_at: datetime | None


def merged(book: OrderState, fact: Fact, data: OrderFact) -> OrderState | None:
    """The book with a fact taken in; None where the fact is known already. The book given stays as it is."""
    seen = content_hash(fact)
    if isinstance(data, OrderRefunded):
        if seen in book.refund_facts:
            return None
        after = replace(book)
        after.refund_facts = [*book.refund_facts, seen]
        after.refunds = {**book.refunds}
        _keep(after.refunds, data.refund_id, refund_of(fact, data))
        return after
    change = _change(fact, data, seen)
    if isinstance(data, OrderPaid) and not (book.changes or book.refund_facts):
        return OrderState([change], sold_of(data), data.channel, data.store, data.placed_at, _rate(data))
    if change in book.changes:
        return None
    after = replace(book)
    after.changes = sorted([*book.changes, change]) if book.changes else [change]
    if isinstance(data, Order):
        _take_content(after, change, data)
    if isinstance(data, OrderUpdated) and data.refunds:
        after.refunds = {**book.refunds}
        for refund in data.refunds:
            _keep(after.refunds, refund.refund_id, refund_of(fact, refund))
    return after


def _change(fact: Fact, data: Order | OrderCancelled | OrderFulfilled, seen: int) -> Change:
    if isinstance(data, OrderUpdated):
        return Change(fact.occurred_at, data.revision, UPDATED, seen, data.status)
    if isinstance(data, OrderCancelled):
        return Change(fact.occurred_at, data.revision, CANCELLED, seen, "cancelled")
    if isinstance(data, OrderFulfilled):
        return Change(fact.occurred_at, data.revision, FULFILLED, seen, "fulfilled")
    return Change(fact.occurred_at, data.revision, PAID, seen, "paid")


def _take_content(book: OrderState, change: Change, data: Order) -> None:
    """Keep what was sold from the highest change; what never moves (where, when, the rate) from the lowest."""
    if len(book.changes) == 1:
        with_content = book.changes
    else:
        with_content = [known for known in book.changes if known.rank in (PAID, UPDATED)]
    if change == with_content[-1]:
        book.sold = sold_of(data)
    if change == with_content[0]:
        book.channel = data.channel
        book.store = data.store
        book.placed_at = data.placed_at
        book.rate = _rate(data)


def _rate(data: Order) -> Rate | None:
    return None if data.exchange_rate is None else Rate(data.currency, micros(data.exchange_rate))


def _keep(refunds: dict[str, RefundKnown], refund_id: str, refund: RefundKnown) -> None:
    """Of two contents of a refund the one of the highest time, then hash, counts."""
    known = refunds.get(refund_id)
    if known is None or (refund.time, refund.content_hash) > (known.time, known.content_hash):
        refunds[refund_id] = refund


def known_of(changes: list[Change]) -> Known:
    """Status and earliest payment, from all changes in their total order.

    Only a payment, or an update whose status is paid or fulfilled, re-opens a cancelled order.
    """
    if len(changes) == 1 and changes[0].rank == PAID:
        return Known("paid", changes[0].time, changes[0].time, None)
    status = ""
    paid_at: datetime | None = None
    counting: datetime | None = None
    fulfilled_at: datetime | None = None
    for change in changes:
        opens = change.rank == PAID or (change.rank == UPDATED and change.status in ("paid", "fulfilled"))
        if status == "cancelled" and not opens:
            continue
        if status == "cancelled":
            counting = fulfilled_at = None
        if opens:
            paid_at = paid_at or change.time
            counting = counting or change.time
        status = change.status
        if status == "fulfilled" and counting is not None:
            fulfilled_at = fulfilled_at or change.time
    if paid_at is None:
        paid_at = next((change.time for change in changes if change.rank == FULFILLED), None)
        counting = fulfilled_at = paid_at
    return Known(status, paid_at, counting, fulfilled_at)


def rate_of(book: OrderState) -> int | None:
    """Micros of the program's currency for one of the order's: as first told, for the order's life.

    None where none was told.
    """
    if book.sold is None:
        return None
    if book.rate is not None and book.rate.currency == book.sold.currency:
        return book.rate.micros
    return book.sold.rate
