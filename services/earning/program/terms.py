"""The terms of a program as values: what `decide` reads, made from the document by `program.compile`."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import msgspec

from services.earning.program.expressions import Expression


class Basis(msgspec.Struct, frozen=True):
    """What of an order's money earns; each part in or out."""

    after_discounts: bool = True
    tax: bool = False
    shipping: bool = False
    gift_cards: bool = False
    points_payment: bool = False
    store_credit_refunds: bool = True


class Selection(msgspec.Struct, frozen=True):
    """Which lines: those in any of the categories or skus; empty sets select every line. `except_…` wins."""

    categories: frozenset[str] = frozenset()
    skus: frozenset[str] = frozenset()
    except_categories: frozenset[str] = frozenset()
    except_skus: frozenset[str] = frozenset()

    @property
    def everything(self) -> bool:
        """Whether no line is left out."""
        return not (self.categories or self.skus or self.except_categories or self.except_skus)


class Conditions(msgspec.Struct, frozen=True):
    """Who and when: answered once, at the first award, and pinned. Empty means: no condition.

    `weekdays` are ISO numbers (Monday 1) and `hours` local hours of the program's zone; `starts_at` is inclusive,
    `ends_at` exclusive.
    """

    tiers: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    weekdays: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    first_order: bool | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    expression: Expression | None = None


class Rule(msgspec.Struct, frozen=True):
    """Points for an order: `rate` per unit of basis, or `points` fixed; `minimum_micros` is of the whole basis."""

    id: str
    rate: Fraction | None = None
    points: int | None = None
    selection: Selection = Selection()
    conditions: Conditions = Conditions()
    minimum_micros: int = 0
    priority: int = 0


class Campaign(msgspec.Struct, frozen=True):
    """A multiplier for a time, on the lines selected; or on the kinds of grants that `activities` names."""

    id: str
    multiplier: Fraction
    selection: Selection = Selection()
    conditions: Conditions = Conditions()
    minimum_micros: int = 0
    activities: frozenset[str] = frozenset()


class TierLevel(msgspec.Struct, frozen=True):
    """A level: reached at `threshold` (points, micros of money, or orders, by the measure).

    `entry_bonus` is points for entering it, once; they never qualify. `activities` are multipliers of grants, by kind.
    """

    id: str
    threshold: int
    multiplier: Fraction = Fraction(1)
    benefits: tuple[str, ...] = ()
    entry_bonus: int = 0
    activities: tuple[tuple[str, Fraction], ...] = ()


class Tiers(msgspec.Struct, frozen=True):
    """The ladder: levels ascend from `base`, which is the first of them, with threshold 0.

    `measure` is points_earned, spend or order_count. `window` is lifetime, calendar_year, anniversary (years from the
    day of joining) or rolling (`months`, to the day). `fall` at a window's end is qualified or one_level. A refund that
    takes an open window below lowers at its end (`open_refund` window_end), or at_once.
    """

    base: str
    levels: tuple[TierLevel, ...]
    measure: str = "points_earned"
    window: str = "lifetime"
    months: int = 12
    grace_days: int = 0
    fall: str = "qualified"
    open_refund: str = "window_end"


class Pending(msgspec.Struct, frozen=True):
    """How long an order's points wait: `days` whole days after it was paid, or fulfilled (`after`).

    After fulfilled with 0 days they wait for the fulfilment itself.
    """

    after: str = "paid"
    days: int = 0


class Expiry(msgspec.Struct, frozen=True):
    """How points end: never, `months` after_available (becoming available), or after months of inactivity."""

    mode: str = "never"
    months: int = 0


class Caps(msgspec.Struct, frozen=True):
    """The most points of orders: of one order, and of a member per local day, ISO week and month. None: no limit."""

    order: int | None = None
    day: int | None = None
    week: int | None = None
    month: int | None = None


class Reward(msgspec.Struct, frozen=True):
    """A reward of the catalogue: its price in points, and the tiers that may have it (empty: all)."""

    id: str
    points: int
    tiers: frozenset[str] = frozenset()


class Limit(msgspec.Struct, frozen=True):
    """How many times at most, per lifetime or local day, ISO week, month, year."""

    times: int
    per: str = "lifetime"


class Reviews(msgspec.Struct, frozen=True):
    """Points for a review: `points`, or where it has a photo or a video and those are more, `photo` or `video`."""

    points: int
    photo: int = 0
    video: int = 0
    verified_only: bool = False
    length_min: int = 0
    once_per_product: bool = True


class Activity(msgspec.Struct, frozen=True):
    """Points for an activity of a kind (`id`), or for each unit of it; the `attributes` that are kept of it."""

    id: str
    points: int = 0
    per_unit: bool = False
    limit: Limit | None = None
    attributes: frozenset[str] = frozenset()
    conditions: Conditions = Conditions()


class Card(msgspec.Struct, frozen=True):
    """A stamp card: completed with every so many stamps, each time for `points` or a `reward` in words.

    Units of an `activity` are its stamps, or of the lines of orders that the `selection` selects.
    """

    id: str
    every: int
    activity: str = ""
    selection: Selection | None = None
    points: int = 0
    reward: str = ""


class Referrals(msgspec.Struct, frozen=True):
    """Points for both sides of a referral whose order reaches the minimum; what blocks it; a referrer's limit."""

    referrer: int = 0
    referee: int = 0
    minimum_micros: int = 0
    blocks: frozenset[str] = frozenset()
    limit: Limit | None = None


class Program(msgspec.Struct, frozen=True):
    """One version of a program, in force from `in_force_from` on (inclusive) until the next version's instant."""

    name: str
    version: int
    in_force_from: datetime
    currency: str
    zone: ZoneInfo
    rules: tuple[Rule, ...]
    campaigns: tuple[Campaign, ...] = ()
    basis: Basis = Basis()
    rounding: str = "floor"
    stacking: str = "sum"
    multipliers: str = "multiply"
    gate: str = "paid"
    deficit: str = "carry"
    tiers: Tiers | None = None
    pending: Pending | None = None
    expiry: Expiry = Expiry()
    caps: Caps = Caps()
    rewards: tuple[Reward, ...] = ()
    reviews: Reviews | None = None
    activities: tuple[Activity, ...] = ()
    cards: tuple[Card, ...] = ()
    referrals: Referrals | None = None
    enrolment_bonus: int = 0
    enrolment_required: bool = False

    @property
    def forgives(self) -> bool:
        """Whether what a reversal did not find is forgiven, not owed."""
        return self.deficit == "forgive"

    @property
    def qualifies_by_points(self) -> bool:
        """Whether what waits qualifies for tiers with its points, and so never without them."""
        return self.tiers is None or self.tiers.measure == "points_earned"

    def activity(self, kind: str) -> Activity | None:
        """What an activity of a kind is worth; None: the program doesn't know the kind."""
        return next((activity for activity in self.activities if activity.id == kind), None)


class Versions(msgspec.Struct, frozen=True):
    """All versions of one program, ascending by version."""

    all: tuple[Program, ...]

    def at(self, instant: datetime) -> Program | None:
        """The version in force at an instant: the newest whose instant has come. None: none yet.

        When two versions take force at the same instant, the newer one counts.
        """
        if self.all and self.all[-1].in_force_from <= instant:
            return self.all[-1]
        return next((program for program in self.all[::-1] if program.in_force_from <= instant), None)

    def numbered(self, version: int) -> Program:
        """The version an award has pinned."""
        return self.all[version - 1]
