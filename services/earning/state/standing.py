"""The values a decision sees and leaves: standing, lots, and the rows of business keys; all derived from the log."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from services.earning.state.keys import KeyState
from shared.point_events import Balances

FORMAT = 1
"""The number of the format of stored state: standings, lots and key states, as their tables have them.

Any change of what is stored there (a field's name, place, type or default; a tag) takes the next number: what has
another one is not read, for a field under another name would read as if it had never been set.
"""


class BusinessKey(NamedTuple):
    """What has one effect: an order, a member's enrolment, … of one source (shop) in one program."""

    program: str
    source: str
    kind: str
    id: str


class TierHeld(msgspec.Struct, array_like=True):
    """A tier held from an instant on, until the next entry of the history."""

    since: datetime
    tier: str


class CardHeld(msgspec.Struct, array_like=True, frozen=True):
    """A member's card: its stamps, how often it is paid as completed, at most ever, and where the last ones begin.

    `every` is how many stamps complete it by the version that counted last.
    """

    stamps: int = 0
    cards: int = 0
    best: int = 0
    last: int = 0
    every: int = 0


class Referral(NamedTuple):
    """A referral that follows an order of its referee; both are of one source."""

    source: str
    order_id: str
    referral_id: str


class Standing(msgspec.Struct, omit_defaults=True):
    """All that a decision may know of a member besides rows: small (≤ 4 KB) however long their history.

    `clock` is the member's stream time: everything due before it is done. `sequence`, `decision` and `lots` count the
    member's events, decisions and lots, all dense from 1. `since`, the
    time of their first fact (or the day of joining it told), is where their years begin. `qualifying` has a
    sum per tier window that still counts (window's first local date → points, micros of money, or orders, by the
    measure). `assigned_tier` is held at least until `assigned_until` (none: for ever), `assigned_by` a row of an import
    or (empty) a person; meanwhile `own_tier` is what the member would hold without. `bonuses` are tiers whose entry
    bonus the member has.

    `next_due` is when time alone may change something: the soonest of `lots_due` (the earliest due of a lot, never too
    late), `tier_check` (the tier may fall) and `inactive_at`, when lots without a later date of their own end unless
    the member is active before. `caps` has the points of orders in recent cap windows. `made_up` are spans
    of the forgiven counter that cancelled redemptions made up for; `forgiven_elsewhere` are those of merged accounts,
    by `forgiven_moved` of which the counter's places are ahead of the balance. `cards` are stamp cards, by their id.
    `referred` are referrals that follow an order, `lifetime` points that imports say were earned elsewhere. A
    `provisional` member is a guest whose points all wait for their enrolment. `claiming` are members who were asked to
    hand over what they have; one who was `claimed_by` another is that other's alias for ever.
    """

    program: str
    member: str
    clock: datetime
    decided_at: datetime
    balances: Balances
    sequence: int = 0
    decision: int = 0
    lots: int = 0
    orders_open: int = 0
    tier: str = ""
    tier_until: datetime | None = None
    tier_history: list[TierHeld] = []
    qualifying: dict[str, int] = {}
    joined_at: datetime | None = None
    segments: tuple[str, ...] = ()
    attributes: dict[str, str] = {}
    next_due: datetime | None = None
    since: datetime | None = None
    lots_due: datetime | None = None
    tier_check: datetime | None = None
    inactive_at: datetime | None = None
    assigned_tier: str = ""
    assigned_until: datetime | None = None
    assigned_by: str = ""
    own_tier: str = ""
    bonuses: tuple[str, ...] = ()
    caps: dict[str, int] = {}
    made_up: list[tuple[int, int]] = []
    closed: bool = False
    cards: dict[str, CardHeld] = {}
    referred: tuple[Referral, ...] = ()
    lifetime: int = 0
    provisional: bool = False
    claiming: tuple[str, ...] = ()
    claimed_by: str = ""
    forgiven_elsewhere: list[tuple[int, int]] = []
    forgiven_moved: int = 0

    @property
    def forgiven_place(self) -> int:
        """Where on the counter of forgiven points the next one goes."""
        return self.balances.forgiven + self.forgiven_moved


class Lot(msgspec.Struct, array_like=True):
    """Points of one award: `remaining` of `points` are left. No `available_at`: still pending. No `expires_at`: never.

    `lot` is its number, dense per member; numbers are in order of event position. A pending lot becomes available at
    `release_at` (none: it waits for a fulfilment); it `qualifies` then for the tier window of `when`. A lot that
    `follows` activity ends at the later of its own date and the standing's. `version` is the program's that made it,
    `expired` what of it expired and was neither reversed nor reinstated since; `extended`: as a part that came
    back from a cancelled redemption it has used the days given to be spent.
    """

    lot: int
    key: BusinessKey
    points: int
    remaining: int
    earned_at: datetime
    available_at: datetime | None
    expires_at: datetime | None = None
    release_at: datetime | None = None
    when: datetime | None = None
    qualifies: int = 0
    version: int = 0
    expired: int = 0
    follows: bool = False
    extended: bool = False

    @property
    def due(self) -> datetime | None:
        """When time alone changes it next: its release, or its end."""
        if self.available_at is None:
            return self.release_at if self.remaining or self.qualifies else None
        return self.expires_at if self.remaining else None


class SpendingOrder(NamedTuple):
    """The place of a lot in the order of consumption: soonest expiry, never-expiring last, then age, then number."""

    never_expires: bool
    expires_at: datetime | None
    earned_at: datetime
    lot: int


class KeyRow(msgspec.Struct):
    """The row of a business key: its owner, its book (the class by `key.kind`), and the lots it made."""

    key: BusinessKey
    member: str
    book: KeyState
    lots: list[int] = []


class Rows(msgspec.Struct):
    """The rows loaded for one member: those that `needs` named with the lots they name, and further lots.

    Every spendable lot up to `horizon` in the order of consumption is in `lots`; every lot due by `due_until` is, and
    `next_due` is the earliest due after it of any stored lot. `all_lots` says that every lot with anything left,
    pending or qualifying, is there, `all_keys` that every row and lot is. `asked` are keys looked for besides. A
    decision that must know more raises `RowsMissingError`, is given it, and decides again.
    """

    keys: dict[BusinessKey, KeyRow]
    lots: dict[int, Lot]
    horizon: SpendingOrder | None = None
    all_lots: bool = False
    due_until: datetime | None = None
    next_due: datetime | None = None
    asked: frozenset[BusinessKey] = frozenset()
    all_keys: bool = False


class RowsMissingError(Exception):
    """A decision needs rows it can't see: load them and decide again.

    Attributes:
        points: spendable lots worth so many points more; 0: none.
        keys: the rows of these keys (where they exist) with all lots they name; put them into `Rows.asked`.
        due_until: all lots due by then.
        everything: all lots with anything left, pending or qualifying.
        every_row: all rows of the member, and all lots, whatever is left of them.
    """

    def __init__(
        self,
        points: int = 0,
        *,
        keys: tuple[BusinessKey, ...] = (),
        due_until: datetime | None = None,
        everything: bool = False,
        every_row: bool = False,
    ) -> None:
        super().__init__(points, keys, due_until, everything, every_row)
        self.every_row = every_row
        self.points = points
        self.keys = keys
        self.due_until = due_until
        self.everything = everything
