"""Books: what a business key is known to be and worth, one class a kind; the body of its row. Derived from the log."""

from __future__ import annotations

import msgspec


class OrderBook(msgspec.Struct, tag="order", omit_defaults=True):
    """An order: its newest content and status, its refunds, what was pinned at the first award, and the award by line."""


class MemberBook(msgspec.Struct, tag="member", omit_defaults=True):
    """A member's enrolment facts seen, so that each takes effect once."""


Book = OrderBook | MemberBook
"""Every kind of book, told apart by its tag."""
