"""Books: what a business key is known to be and worth, one class a kind; the body of its row. Derived from the log.

Everything a fact of a key can change is computed from its book alone, so that the order in which facts arrive, and how
often, leaves no trace in the result.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

PAID, FULFILLED, UPDATED, CANCELLED = range(4)
"""Ranks of changes of an order made at the same time and revision."""


class Change(msgspec.Struct, array_like=True, order=True, frozen=True):
    """One change of an order at its platform. Changes sort by time, revision, rank and content: the total order.

    `content_hash` is of the whole fact's data; `status` is pending, paid, fulfilled or cancelled.
    """

    time: datetime
    revision: int
    rank: int
    content_hash: int
    status: str


class SoldLine(msgspec.Struct, array_like=True, frozen=True):
    """A line as sold; money in micros of the order's currency."""

    line_id: str
    sku: str
    categories: tuple[str, ...]
    quantity: int
    subtotal: int
    discount: int
    tax: int
    gift_card: bool


class Sold(msgspec.Struct, array_like=True, frozen=True):
    """An order as sold, lines by line_id; money in micros of the order's currency."""

    currency: str
    lines: tuple[SoldLine, ...]
    discount: int
    shipping: int
    shipping_tax: int
    prices_include_tax: bool
    points_payment: int
    rate: int | None
    test: bool


class RefundedLine(msgspec.Struct, array_like=True, frozen=True):
    """What came back for a line (micros), tax in the order's mode; no quantity: not said."""

    line_id: str
    amount: int
    quantity: int | None
    tax: int


class RefundKnown(msgspec.Struct, array_like=True, frozen=True):
    """A refund's newest content: that of the highest (time, content_hash); money in micros, no amount: not said."""

    time: datetime
    content_hash: int
    lines: tuple[RefundedLine, ...]
    amount: int | None
    shipping: int
    tender: str


class Pin(msgspec.Struct, array_like=True, frozen=True):
    """Who and when, answered once for an order's life.

    `when` (placed, or first paid) chose `version`; it moves when an earlier payment turns up, the rest stays as first
    decided. `tier` is the one held before the order.
    """

    version: int
    when: datetime
    tier: str
    segments: tuple[str, ...]
    first_order: bool
    channel: str | None
    store: str | None


class Rate(msgspec.Struct, array_like=True, frozen=True):
    """The exchange rate of an order's earliest content: micros of the program's currency for 1 of `currency`."""

    currency: str
    micros: int


class OrderBook(msgspec.Struct, tag="order", array_like=True):
    """An order: its changes, newest content, refunds, what is pinned, and what it is worth.

    `lines` and `rules` hold the award (points by line_id, shipping under ""; points by rule). `qualified` is what it
    adds to the tier window that begins on `window` (points, or micros of money, by the tier measure). `counts` says
    whether it is one of the member's orders with anything left. `refund_facts` are hashes of refund facts seen.
    """

    changes: list[Change] = []
    sold: Sold | None = None
    channel: str | None = None
    store: str | None = None
    placed_at: datetime | None = None
    rate: Rate | None = None
    refunds: dict[str, RefundKnown] = {}
    refund_facts: list[int] = []
    pin: Pin | None = None
    lines: dict[str, int] = {}
    rules: dict[str, int] = {}
    qualified: int = 0
    window: str = ""
    counts: bool = False

    @property
    def points(self) -> int:
        """What the order is worth now."""
        return sum(self.rules.values())


class MemberBook(msgspec.Struct, tag="member", array_like=True):
    """A member's enrolment: hashes of the newest facts seen, and when the data in force was said."""

    seen: list[int] = []
    time: datetime | None = None
    content_hash: int = 0


Book = OrderBook | MemberBook
"""Every kind of book, told apart by its tag."""
