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
    decided. `tier` is the one held before the order; `attributes` are the member's, where expressions ask for them.
    """

    version: int
    when: datetime
    tier: str
    segments: tuple[str, ...]
    first_order: bool
    channel: str | None
    store: str | None
    attributes: dict[str, str] = {}


class Grant(msgspec.Struct, array_like=True, frozen=True):
    """What a key other than an order is worth: who and when, pinned, and its points by rule.

    `qualified` is what it adds to the tier window that begins on `window`, what its pending lots will add among it.
    """

    pin: Pin | None = None
    rules: dict[str, int] = {}
    qualified: int = 0
    window: str = ""

    @property
    def points(self) -> int:
        """What it is worth now."""
        return sum(self.rules.values())


class Rate(msgspec.Struct, array_like=True, frozen=True):
    """The exchange rate of an order's earliest content: micros of the program's currency for 1 of `currency`."""

    currency: str
    micros: int


class OrderState(msgspec.Struct, tag="order", array_like=True):
    """An order: its changes, newest content, refunds, what is pinned, and what it is worth.

    `lines` and `rules` hold the award (points by line_id, shipping under ""; points by rule). `qualified` is what it
    adds to the tier window that begins on `window` (points, micros of money, or orders, by the tier measure), what its
    pending lots will add among it. `uncapped` is the award before caps, `caps` the cap windows it counts in. `counts`
    says whether it is one of the member's orders with anything left. `refund_facts` are hashes of refund facts seen.
    `stamps` are those it holds, by card.
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
    uncapped: int = 0
    caps: tuple[str, ...] = ()
    stamps: dict[str, int] = {}

    @property
    def points(self) -> int:
        """What the order is worth now."""
        return sum(self.rules.values())


class Said(msgspec.Struct, array_like=True, order=True, frozen=True):
    """When something was said, and in which content: the highest counts."""

    time: datetime
    content_hash: int


class MemberState(msgspec.Struct, tag="member", array_like=True):
    """What was said of a member: hashes of the newest facts seen, and the newest word on each thing (its name → when).

    Things are membership, segments, attributes, and (a book of its own) the tier that a person gave.
    """

    seen: list[int] = []
    said: dict[str, Said] = {}


class Take(msgspec.Struct, array_like=True):
    """What a redemption took of a lot, as far as it didn't come back; the lot's dates are those of that moment."""

    lot: int
    points: int
    expires_at: datetime | None
    follows: bool
    extended: bool


class RedemptionState(msgspec.Struct, tag="redemption", array_like=True):
    """A redemption: its content (0: only cancels are known), what it took, and the cancels seen (cancel_id → hash).

    `points` is what was redeemed (0: rejected), `forgiven` the place on the member's forgiven counter at that moment.
    """

    content_hash: int = 0
    points: int = 0
    taken_at: datetime | None = None
    forgiven: int = 0
    takes: list[Take] = []
    cancels: dict[str, int] = {}


class CommandState(msgspec.Struct, tag="command", array_like=True):
    """An adjustment or a reinstatement: its content, decided once."""

    content_hash: int = 0


class ImportState(msgspec.Struct, tag="import", array_like=True):
    """A row of an import: its content, its points still in the books, what it added to a tier window, what it said."""

    content_hash: int = 0
    points: int = 0
    lifetime_points: int = 0
    window: str = ""
    tier: str = ""
    lifetime: int = 0


class BatchState(msgspec.Struct, tag="batch", array_like=True):
    """A member's rows of an import; the reverts seen (hashes): once there is one, the rows are worth nothing."""

    rows: list[str] = []
    reverts: list[int] = []


class CapState(msgspec.Struct, tag="cap", array_like=True):
    """Points of orders in a cap window that is not recent any more."""

    points: int = 0


class BonusState(msgspec.Struct, tag="bonus", array_like=True):
    """A tier's entry bonus: the points the member has of it now."""

    points: int = 0


class Reviewed(msgspec.Struct, array_like=True, frozen=True):
    """A review's newest content: that of the highest (time, content_hash)."""

    time: datetime
    content_hash: int
    product: str
    photos: int
    videos: int
    verified: bool
    length: int


class ReviewState(msgspec.Struct, tag="review", array_like=True, frozen=True):
    """A review: its changes, newest content, and what it is worth.

    `claimed` is the product for which it is the member's one review that counts, `refused` the one for which another
    was.
    """

    changes: list[Change] = []
    content: Reviewed | None = None
    grant: Grant = Grant()
    claimed: str = ""
    refused: str = ""


class Done(msgspec.Struct, array_like=True, frozen=True):
    """An activity's newest content: that of the highest (time, content_hash)."""

    time: datetime
    content_hash: int
    kind: str
    quantity: int
    attributes: dict[str, str]


class ActivityState(msgspec.Struct, tag="activity", array_like=True, frozen=True):
    """An activity: its changes, newest content, and what it is worth.

    `place` is the window of its kind's limit that it has a place in; `refused` says that there was none. `stamps` are
    those it holds, by card.
    """

    changes: list[Change] = []
    content: Done | None = None
    grant: Grant = Grant()
    place: str = ""
    refused: bool = False
    stamps: dict[str, int] = {}


class ClaimState(msgspec.Struct, tag="claim", array_like=True, frozen=True):
    """Something that one key at a time can claim (a product reviewed): who has it; after a merge several."""

    holders: tuple[str, ...] = ()


class EnrolmentState(msgspec.Struct, tag="enrolment", array_like=True, frozen=True):
    """A member's bonus for enrolling."""

    grant: Grant = Grant()


class CardState(msgspec.Struct, tag="card", array_like=True, frozen=True):
    """Points of `cards` completed at once, from a number on; `before` is where those before them begin.

    `every` is how many stamps completed a card then: the one numbered n needs n times as many to stay complete.
    """

    grant: Grant = Grant()
    cards: int = 0
    before: int = 0
    every: int = 0


class Referred(msgspec.Struct, array_like=True, frozen=True):
    """A referral's newest completion: that of the highest (time, content_hash); `signals` are those that are true."""

    time: datetime
    content_hash: int
    order_id: str
    signals: tuple[str, ...]


class Asking(msgspec.Struct, array_like=True, frozen=True):
    """What the referrer was asked last: whether it qualifies, of which order, and how long its points wait."""

    qualifies: bool = False
    order_id: str = ""
    when: datetime | None = None
    waits: bool = False
    release_at: datetime | None = None
    unblocked: bool = False


class ReferralState(msgspec.Struct, tag="referral", array_like=True, frozen=True):
    """A referral at its referee: its changes, newest completion, and what it is worth to them.

    `asked` is what the referrer was asked last, by `version`; `since` is the version since which it qualifies,
    `answered` that of the newest answer; `granted`: it was yes. `blocked` is why it doesn't count. `is_new`: whether
    the referee was no customer elsewhere, when that was first looked at.
    """

    changes: list[Change] = []
    referrer: str = ""
    completed: Referred | None = None
    grant: Grant = Grant()
    version: int = 0
    since: int = 0
    answered: int = 0
    asked: Asking = Asking()
    granted: bool = False
    blocked: str = ""
    is_new: bool | None = None


class ReferrerState(msgspec.Struct, tag="referrer", array_like=True, frozen=True):
    """A referral at its referrer: the newest question, what it is worth to them, their place under the limit."""

    version: int = 0
    qualifies: bool = False
    grant: Grant = Grant()
    place: str = ""
    blocked: str = ""


class AliasState(msgspec.Struct, tag="alias", array_like=True, frozen=True):
    """Another id that is this member: its lots have its numbers plus `offset` here; `parts` are those received.

    Places on its counter of forgiven points are `forgiven` further here. `cards` are the claimer's own as they were, by
    id: how many are paid, and where the last ones begin; those of the other go on from there.
    """

    offset: int = 0
    parts: tuple[int, ...] = ()
    forgiven: int = 0
    cards: dict[str, tuple[int, int]] = {}


class ClickState(msgspec.Struct, tag="click", array_like=True, frozen=True):
    """A click on a referrer's link, counted."""


class LimitState(msgspec.Struct, tag="limit", array_like=True, frozen=True):
    """Places taken in a window of a limit."""

    used: int = 0


KeyState = (
    OrderState
    | MemberState
    | RedemptionState
    | CommandState
    | ImportState
    | BatchState
    | CapState
    | BonusState
    | ReviewState
    | ActivityState
    | ClaimState
    | LimitState
    | CardState
    | ReferralState
    | ReferrerState
    | ClickState
    | AliasState
    | EnrolmentState
)
"""Every kind of book, told apart by its tag."""
