"""What the facts of one order say together: its status, what was sold, its refunds, its times (rules 6, 11, 34)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from services.earning.source_events.facts import Fact
from shared.facts.orders import Order, OrderCancelled, OrderFulfilled, OrderPaid, OrderRefunded, OrderUpdated, Refund

RANKS: dict[type, int] = {OrderPaid: 0, OrderFulfilled: 1, OrderUpdated: 2, OrderCancelled: 3}
OPEN = ("paid", "fulfilled")


def content(fact: Fact) -> bytes:
    """What makes two order facts the same: type, data and time, whatever the envelope's id (rule 51)."""
    return msgspec.json.encode([fact.type, fact.occurred_at, fact.data])


@dataclass(frozen=True)
class OrderView:
    """An order as all its facts together tell it."""

    status: str
    sold: Order | None
    refunds: tuple[Refund, ...]
    payment: datetime | None
    counting: datetime | None
    fulfilled: datetime | None
    when: datetime | None
    rate: str | None
    channel: str | None
    store: str | None

    @property
    def open(self) -> bool:
        """Whether it can be worth anything."""
        return self.sold is not None and not self.sold.test and self.status in OPEN


def _version(fact: Fact) -> tuple[datetime, int, int, bytes]:
    return (fact.occurred_at, fact.data.revision, RANKS[type(fact.data)], content(fact))  # type: ignore[union-attr]


def _says_paid(fact: Fact) -> bool:
    return isinstance(fact.data, OrderPaid) or (isinstance(fact.data, OrderUpdated) and fact.data.status in OPEN)


def _says_fulfilled(fact: Fact) -> bool:
    return isinstance(fact.data, OrderFulfilled) or (
        isinstance(fact.data, OrderUpdated) and fact.data.status == "fulfilled"
    )


def _counting(changes: Sequence[Fact]) -> datetime | None:
    """The earliest payment since the order was last cancelled: the one that counts (rule 51)."""
    since = 0
    for i in range(1, len(changes) + 1):
        if _status(changes[:i]) == "cancelled":
            since = i
    run = changes[since:]
    payments = [fact.occurred_at for fact in run if _says_paid(fact)]
    return min(payments or [fact.occurred_at for fact in run if _says_fulfilled(fact)], default=None)


def _status(changes: Sequence[Fact]) -> str:
    status = "pending"
    for fact in changes:
        match fact.data:
            case OrderPaid():
                status = "paid"
            case OrderUpdated(status=said):
                status = status if status == "cancelled" and said == "pending" else said
            case OrderFulfilled():
                status = status if status == "cancelled" else "fulfilled"
            case _:
                status = "cancelled"
    return status


def _refunds(facts: Sequence[Fact]) -> tuple[Refund, ...]:
    """The newest content of every refund, wherever it was said."""
    said: list[tuple[datetime, bytes, Refund]] = []
    for fact in facts:
        if isinstance(fact.data, OrderRefunded):
            fields = {name: getattr(fact.data, name) for name in Refund.__struct_fields__}
            refund = Refund(**fields)
            said.append((fact.occurred_at, msgspec.json.encode(refund), refund))
        elif isinstance(fact.data, OrderUpdated):
            said += [(fact.occurred_at, msgspec.json.encode(refund), refund) for refund in fact.data.refunds]
    newest = {refund.refund_id: refund for *_, refund in sorted(said, key=lambda entry: entry[:2])}
    return tuple(newest.values())


def view(facts: Sequence[Fact]) -> OrderView:
    """Everything known of an order, from the list of its facts in any order."""
    changes = sorted((fact for fact in facts if type(fact.data) in RANKS), key=_version)
    sold = [fact for fact in changes if isinstance(fact.data, Order)]
    payments = [fact.occurred_at for fact in changes if _says_paid(fact)]
    fulfilments = [fact.occurred_at for fact in changes if _says_fulfilled(fact)]
    counting = _counting(changes)
    payment = min(payments or fulfilments, default=None)
    first = sold[0].data if sold else None
    assert first is None or isinstance(first, Order)
    newest = sold[-1].data if sold else None
    assert newest is None or isinstance(newest, Order)
    placed = next((fact.data.placed_at for fact in sold if fact.data.placed_at is not None), None)  # type: ignore[union-attr]
    return OrderView(
        status=_status(changes),
        sold=newest,
        refunds=_refunds(facts),
        payment=payment,
        counting=counting,
        fulfilled=min((time for time in fulfilments if counting is None or time >= counting), default=None),
        when=placed or payment,
        rate=first.exchange_rate if first is not None else None,
        channel=first.channel if first is not None else None,
        store=first.store if first is not None else None,
    )
