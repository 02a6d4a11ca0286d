"""What a claimed id hands over, as its message says it: lots, rows of keys, and sums; for ever, as it is in the log.

Nothing here is how earning stores its state: that may change, this may not. What must be said otherwise gets a message
of a new type (`messages.py`), with shapes of its own. Points are whole, money is in micros, instants are in UTC. What
has its default is left out.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from services.earning.source_events.contents import Content
from shared.point_events import Key


class LotGiven(msgspec.Struct, frozen=True, omit_defaults=True):
    """Points of one award, by the number they had: `remaining` of `points` are left.

    No `available_at`: still pending, until `release_at` (none: for a fulfilment). No `expires_at`: never. It
    `qualifies` for the tier window of `when` as it is released; `version` of the program made it. `expired` of it are
    gone and neither reversed nor reinstated; it `follows` activity, or was `extended` as a part that came back.
    """

    lot: int
    key: Key
    points: int
    remaining: int
    earned_at: datetime
    available_at: datetime | None = None
    expires_at: datetime | None = None
    release_at: datetime | None = None
    when: datetime | None = None
    qualifies: int = 0
    version: int = 0
    expired: int = 0
    follows: bool = False
    extended: bool = False


class CardGiven(msgspec.Struct, frozen=True, omit_defaults=True):
    """Stamps of a card: how often it is paid as completed, at most ever, where the last ones begin; `every` so many."""

    stamps: int = 0
    cards: int = 0
    best: int = 0
    last: int = 0
    every: int = 0


class ReferralFollowed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A referral that follows an order of its referee; both are of one source."""

    source: str
    order_id: str
    referral_id: str


class AccountGiven(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a member had besides lots and rows, before all of it went.

    `owed` is a deficit, `forgiven` the place on the counter of forgiven points where the next would go, of which
    `made_up` and `forgiven_elsewhere` are spans. `qualifying` has a sum per tier window, `caps` points of orders per
    recent cap window, `cards` are stamp cards by their id. `provisional`: they never enrolled.
    """

    member: str
    owed: int = 0
    forgiven: int = 0
    forgiven_elsewhere: tuple[tuple[int, int], ...] = ()
    made_up: tuple[tuple[int, int], ...] = ()
    provisional: bool = False
    since: datetime | None = None
    joined_at: datetime | None = None
    segments: tuple[str, ...] = ()
    attributes: dict[str, str] = {}
    orders_open: int = 0
    lifetime: int = 0
    bonuses: tuple[str, ...] = ()
    referred: tuple[ReferralFollowed, ...] = ()
    caps: dict[str, int] = {}
    inactive_at: datetime | None = None
    qualifying: dict[str, int] = {}
    cards: dict[str, CardGiven] = {}
    tier: str = ""
    tier_until: datetime | None = None


class RowGiven(msgspec.Struct, frozen=True, omit_defaults=True):
    """A business key that the member owned: what is known of it, and the numbers of the lots it made."""

    key: Key
    content: Content
    lots: tuple[int, ...] = ()


class ClaimGiven(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`tallystick.claim.given.v2`, to the one who claims: a part of what the other had.

    Lots have the other's numbers, 1 to `lots_made`. The first part has the account, so that sums are never halved.
    """

    guest: str
    part: int
    parts: int
    lots_made: int
    lots: tuple[LotGiven, ...] = ()
    rows: tuple[RowGiven, ...] = ()
    account: AccountGiven | None = None
