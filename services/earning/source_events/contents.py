"""Contents of rows as a claim's message says them: what is known of a business key, one class a kind (`handover.py`).

Points are whole, money is in micros, instants are in UTC. What has its default is left out.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class _Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """A value of a message, by the names of its fields."""


class ChangeSaid(_Said, frozen=True):
    """A change at the platform: its time, revision, rank among those of one moment, hash of its content, and status."""

    time: datetime
    revision: int
    rank: int
    content_hash: int
    status: str


class LineSold(_Said, frozen=True):
    """A line as sold."""

    line_id: str
    sku: str
    categories: tuple[str, ...] = ()
    quantity: int = 1
    subtotal: int = 0
    discount: int = 0
    tax: int = 0
    gift_card: bool = False


class OrderSold(_Said, frozen=True):
    """An order as sold; `rate`: micros of the program's currency for 1 of `currency`."""

    currency: str
    lines: tuple[LineSold, ...] = ()
    discount: int = 0
    shipping: int = 0
    shipping_tax: int = 0
    prices_include_tax: bool = False
    points_payment: int = 0
    rate: int | None = None
    test: bool = False


class LineRefunded(_Said, frozen=True):
    """What came back for a line; no quantity: not said."""

    line_id: str
    amount: int = 0
    quantity: int | None = None
    tax: int = 0


class RefundSaid(_Said, frozen=True):
    """A refund's newest content; no amount: not said."""

    time: datetime
    content_hash: int
    lines: tuple[LineRefunded, ...] = ()
    amount: int | None = None
    shipping: int = 0
    tender: str = "cash"


class Pinned(_Said, frozen=True):
    """Who and when, answered once: `version` of the program by `when`, tier before, segments, channel, attributes."""

    version: int
    when: datetime
    tier: str = ""
    segments: tuple[str, ...] = ()
    first_order: bool = False
    channel: str | None = None
    store: str | None = None
    attributes: dict[str, str] = {}


class GrantGiven(_Said, frozen=True):
    """What a key other than an order is worth: points by rule; `qualified` counts in the tier window of `window`."""

    pin: Pinned | None = None
    rules: dict[str, int] = {}
    qualified: int = 0
    window: str = ""


class RateSaid(_Said, frozen=True):
    """The exchange rate of an order's earliest content: micros of the program's currency for 1 of `currency`."""

    currency: str
    micros: int


class OrderContent(_Said, frozen=True, tag="order"):
    """An order: changes, newest content, refunds by id, what is pinned, and what it is worth.

    `lines` and `rules` are points by line_id (shipping under "") and by rule, `uncapped` what they were before caps,
    `caps` the windows it counts in, `counts`: it is one of the member's orders. `stamps` are those it holds, by card.
    """

    changes: tuple[ChangeSaid, ...] = ()
    sold: OrderSold | None = None
    channel: str | None = None
    store: str | None = None
    placed_at: datetime | None = None
    rate: RateSaid | None = None
    refunds: dict[str, RefundSaid] = {}
    refund_facts: tuple[int, ...] = ()
    pin: Pinned | None = None
    lines: dict[str, int] = {}
    rules: dict[str, int] = {}
    qualified: int = 0
    window: str = ""
    counts: bool = False
    uncapped: int = 0
    caps: tuple[str, ...] = ()
    stamps: dict[str, int] = {}


class Newest(_Said, frozen=True):
    """When something was said last, and the hash of its content."""

    time: datetime
    content_hash: int


class MemberContent(_Said, frozen=True, tag="member"):
    """What was said of a member: hashes of the newest facts, and the newest word on each thing."""

    seen: tuple[int, ...] = ()
    said: dict[str, Newest] = {}


class TakenOfLot(_Said, frozen=True):
    """What a redemption took of a lot, with the lot's dates of that moment."""

    lot: int
    points: int
    expires_at: datetime | None = None
    follows: bool = False
    extended: bool = False


class RedemptionContent(_Said, frozen=True, tag="redemption"):
    """A redemption (0 points: rejected), what is left of what it took, and cancels by id with their hashes.

    `forgiven` is the place on the member's counter of forgiven points at that moment.
    """

    content_hash: int = 0
    points: int = 0
    taken_at: datetime | None = None
    forgiven: int = 0
    takes: tuple[TakenOfLot, ...] = ()
    cancels: dict[str, int] = {}


class CommandContent(_Said, frozen=True, tag="command"):
    """A command that is decided once, by the hash of its content; 0: a claim that was refused."""

    content_hash: int = 0


class ImportContent(_Said, frozen=True, tag="import"):
    """A row of an import: points still in the books, what it added to a tier window, and what it said."""

    content_hash: int = 0
    points: int = 0
    lifetime_points: int = 0
    window: str = ""
    tier: str = ""
    lifetime: int = 0


class BatchContent(_Said, frozen=True, tag="batch"):
    """A member's rows of an import, and hashes of the reverts seen."""

    rows: tuple[str, ...] = ()
    reverts: tuple[int, ...] = ()


class CapContent(_Said, frozen=True, tag="cap"):
    """Points of orders in a cap window that is not recent any more."""

    points: int = 0


class BonusContent(_Said, frozen=True, tag="bonus"):
    """A tier's entry bonus: the points there are of it."""

    points: int = 0


class ReviewSaid(_Said, frozen=True):
    """A review's newest content."""

    time: datetime
    content_hash: int
    product: str
    photos: int = 0
    videos: int = 0
    verified: bool = False
    length: int = 0


class ReviewContent(_Said, frozen=True, tag="review"):
    """A review; `claimed` is the product for which it is the one that counts, `refused` the one where another was."""

    changes: tuple[ChangeSaid, ...] = ()
    content: ReviewSaid | None = None
    grant: GrantGiven = GrantGiven()
    claimed: str = ""
    refused: str = ""


class ActivitySaid(_Said, frozen=True):
    """An activity's newest content."""

    time: datetime
    content_hash: int
    kind: str
    quantity: int = 1
    attributes: dict[str, str] = {}


class ActivityContent(_Said, frozen=True, tag="activity"):
    """An activity; `place` is the window of a limit that it has a place in, `refused`: there was none."""

    changes: tuple[ChangeSaid, ...] = ()
    content: ActivitySaid | None = None
    grant: GrantGiven = GrantGiven()
    place: str = ""
    refused: bool = False
    stamps: dict[str, int] = {}


class ClaimContent(_Said, frozen=True, tag="claim"):
    """Something that one key at a time can claim, and who has it."""

    holders: tuple[str, ...] = ()


class LimitContent(_Said, frozen=True, tag="limit"):
    """Places taken in a window of a limit."""

    used: int = 0


class CardContent(_Said, frozen=True, tag="card"):
    """Points of `cards` completed at once by `every` stamps each; `before` is where those before them begin."""

    grant: GrantGiven = GrantGiven()
    cards: int = 0
    before: int = 0
    every: int = 0


class ReferralCompletion(_Said, frozen=True):
    """A referral's newest completion, and the signals that are true."""

    time: datetime
    content_hash: int
    order_id: str
    signals: tuple[str, ...] = ()


class ReferralQuestion(_Said, frozen=True):
    """What the referrer was asked last."""

    qualifies: bool = False
    order_id: str = ""
    when: datetime | None = None
    waits: bool = False
    release_at: datetime | None = None
    unblocked: bool = False


class ReferralContent(_Said, frozen=True, tag="referral"):
    """A referral at its referee: the question asked last by `version`, since when it qualifies, the newest answer."""

    changes: tuple[ChangeSaid, ...] = ()
    referrer: str = ""
    completed: ReferralCompletion | None = None
    grant: GrantGiven = GrantGiven()
    version: int = 0
    since: int = 0
    answered: int = 0
    asked: ReferralQuestion = ReferralQuestion()
    granted: bool = False
    blocked: str = ""
    is_new: bool | None = None


class ReferrerContent(_Said, frozen=True, tag="referrer"):
    """A referral at its referrer: the newest question, what it is worth to them, their place under the limit."""

    version: int = 0
    qualifies: bool = False
    grant: GrantGiven = GrantGiven()
    place: str = ""
    blocked: str = ""


class ClickContent(_Said, frozen=True, tag="click"):
    """A click on a referrer's link."""


class AliasContent(_Said, frozen=True, tag="alias"):
    """Another id that is this member: its lots have its numbers plus `offset`, `parts` of what it had are here.

    Its places among forgiven points are `forgiven` further; `cards` are those paid before it came, and the last's
    beginning, by card.
    """

    offset: int = 0
    parts: tuple[int, ...] = ()
    forgiven: int = 0
    cards: dict[str, tuple[int, int]] = {}


class EnrolmentContent(_Said, frozen=True, tag="enrolment"):
    """A member's bonus for enrolling."""

    grant: GrantGiven = GrantGiven()


Content = (
    OrderContent
    | MemberContent
    | RedemptionContent
    | CommandContent
    | ImportContent
    | BatchContent
    | CapContent
    | BonusContent
    | ReviewContent
    | ActivityContent
    | ClaimContent
    | LimitContent
    | CardContent
    | ReferralContent
    | ReferrerContent
    | ClickContent
    | AliasContent
    | EnrolmentContent
)
"""What is known of a business key, told apart by `type`."""
