"""Point events: what earning says on `loyalty.points`, one class a type; the contract's only source.

A record's value is `PointEvent[...]` as JSON: a CloudEvents 1.0 envelope, structured mode, whose `data` is one of the
classes below. JSON Schemas, AsyncAPI and the reference page are made from here.
"""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import msgspec

SOURCE = "tallystick/earning"
"""CloudEvents `source` of every event of ours."""

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time in UTC."""

_BY_ITS_DECISION: Any = msgspec.UNSET
"""What a field of `COMMON` is until the decision that the event belongs to has set it."""

COMMON = ("program", "member", "sequence", "decision", "occurred_at", "decided_at", "cause", "balances")
"""The fields of every event that its decision sets. Required: an envelope takes no event that lacks one."""


class Cause(msgspec.Struct, frozen=True, omit_defaults=True):
    """The input that led to a decision: its type, its publisher's source and id, and where its record lies."""

    type: str
    source: str
    id: str
    topic: str = ""
    partition: int = -1
    offset: int = -1


class Key(msgspec.Struct, frozen=True, gc=False):
    """The business key within a program: one effect for each (source, kind, id)."""

    source: str
    kind: str
    id: str


class Balances(msgspec.Struct, omit_defaults=True):
    """Where a member stands after an event: three balances, and gross counters that only grow (points)."""

    available: int = 0
    pending: int = 0
    deficit: int = 0
    earned: int = 0
    restored: int = 0
    adjusted: int = 0
    imported: int = 0
    expired_reversed: int = 0
    forgiven: int = 0
    reinstated: int = 0
    transferred_in: int = 0
    transferred_out: int = 0
    reversed: int = 0
    redeemed: int = 0
    expired: int = 0
    reverted: int = 0


class LotChange(msgspec.Struct, omit_defaults=True):
    """A lot touched: its number (dense per member), the change of its remaining points, and what it is afterwards."""

    lot: int
    change: int
    remaining: int
    earned_at: Instant
    available_at: Instant | None = None
    expires_at: Instant | None = None
    pending: bool = False


class RuleShare(msgspec.Struct, omit_defaults=True):
    """What one rule gave: floor(basis × rate × multiplier). Amounts are decimal text; a fraction reads `1/3`."""

    rule: str
    points: int
    basis: str = ""
    rate: str = ""
    multiplier: str = ""
    raw: str = ""


EVENT_TYPES: dict[str, type[EventData]] = {}
"""CloudEvents type → the class of its data: every type that can be in the log, in the order of their declaration."""


class EventData(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What every point event carries.

    A decision makes an event of what its kind says, and sets the rest of it (`COMMON`) where it records it.

    `position` is dense per partition and `sequence` dense per member, both from 1; `chain` is the hash (BLAKE2b-128,
    hex) of the bytes of the partition's previous event; `postings` (account → points) add up to 0; `fact` is the
    canonical input, in the first event that it caused only.

    Where the program has tiers, an event that moves what counts for them says `qualifies` (its change), and what holds
    after it in the present window: `qualifying` (the sum), `to_next` (missing to the next tier), `to_keep` (missing to
    keep this one). Decimal text: points, money or orders, by the measure.
    """

    TYPE: ClassVar[str]

    def __init_subclass__(cls) -> None:
        EVENT_TYPES[cls.TYPE] = cls

    program: str = _BY_ITS_DECISION
    member: str = _BY_ITS_DECISION
    shard: int = 0
    position: int = 0
    chain: str = ""
    sequence: int = _BY_ITS_DECISION
    decision: int = _BY_ITS_DECISION
    index: int = 0
    occurred_at: Instant = _BY_ITS_DECISION
    decided_at: Instant = _BY_ITS_DECISION
    cause: Cause = _BY_ITS_DECISION
    key: Key | None = None
    program_version: int = 0
    postings: dict[str, int] = {}
    balances: Balances = _BY_ITS_DECISION
    fact: Any = None
    qualifies: str = ""
    qualifying: str = ""
    to_next: str = ""
    to_keep: str = ""


class PointsEarned(EventData, kw_only=True, omit_defaults=True):
    """An award came to be, or grew: `points` into the lots named; which rule gave what, and what each line got."""

    TYPE = "loyalty.points.earned.v1"
    points: int
    rules: list[RuleShare]
    lines: dict[str, int] = {}
    lots: list[LotChange]
    rate: str = ""


class PointsReversed(EventData, kw_only=True, omit_defaults=True):
    """An award shrank: `points` taken back, out of the lots named; what was not there became deficit."""

    TYPE = "loyalty.points.reversed.v1"
    points: int
    reason: str
    rules: list[RuleShare] = []
    lines: dict[str, int] = {}
    lots: list[LotChange] = []
    to_deficit: int = 0
    from_expired: int = 0


class DeficitForgiven(EventData, kw_only=True, omit_defaults=True):
    """Points that a member owes are let go."""

    TYPE = "loyalty.deficit.forgiven.v1"
    points: int
    reason: str


class PointsReleased(EventData, kw_only=True, omit_defaults=True):
    """Pending points became available; what was owed was paid first. 0 points: an order that earned none qualified."""

    TYPE = "loyalty.points.released.v1"
    points: int
    lots: list[LotChange]


class PointsExpired(EventData, kw_only=True, omit_defaults=True):
    """Points ended: their time was over, or the membership was (then pending ones too)."""

    TYPE = "loyalty.points.expired.v1"
    points: int
    reason: str
    lots: list[LotChange]


class PointsRedeemed(EventData, kw_only=True, omit_defaults=True):
    """Points were spent, on a reward of the catalogue or as such: out of which lots, how much of each."""

    TYPE = "loyalty.points.redeemed.v1"
    redemption: str
    points: int
    lots: list[LotChange]
    reward: str = ""
    order: str = ""


class RedemptionRejected(EventData, kw_only=True, omit_defaults=True):
    """A redemption was refused, for good: why (a code of `shared.reasons`)."""

    TYPE = "loyalty.redemption.rejected.v1"
    redemption: str
    reason: str
    points: int = 0
    reward: str = ""
    order: str = ""


class PointsRestored(EventData, kw_only=True, omit_defaults=True):
    """A redemption was cancelled, in whole or in part: `points` came back, to a deficit first, then into lots.

    `made_up_for_forgiven` of what was cancelled is not among them: it makes up for points forgiven since.
    """

    TYPE = "loyalty.points.restored.v1"
    redemption: str
    points: int
    cancel: str = ""
    lots: list[LotChange] = []
    made_up_for_forgiven: int = 0


class PointsAdjusted(EventData, kw_only=True, omit_defaults=True):
    """A person gave points (+) or took them (−)."""

    TYPE = "loyalty.points.adjusted.v1"
    points: int
    reason: str
    actor: str
    note: str = ""
    lots: list[LotChange] = []
    to_deficit: int = 0


class BalanceImported(EventData, kw_only=True, omit_defaults=True):
    """A row of an import: points from another system, and what was earned there in a lifetime."""

    TYPE = "loyalty.balance.imported.v1"
    batch: str
    row: str
    points: int
    lifetime_points: int = 0
    tier: str = ""
    lots: list[LotChange] = []


class ImportReverted(EventData, kw_only=True, omit_defaults=True):
    """A row of an import was taken out again."""

    TYPE = "loyalty.import.reverted.v1"
    batch: str
    row: str
    points: int
    lifetime_points: int = 0
    lots: list[LotChange] = []
    to_deficit: int = 0
    from_expired: int = 0


class PointsReinstated(EventData, kw_only=True, omit_defaults=True):
    """A person gave back points of an award that had expired."""

    TYPE = "loyalty.points.reinstated.v1"
    points: int
    reason: str
    award: Key
    lots: list[LotChange]


class TierChanged(EventData, kw_only=True, omit_defaults=True):
    """The member rose or fell: tier before and after, why, and how long it holds (no date: for ever)."""

    TYPE = "loyalty.tier.changed.v1"
    before: str
    after: str
    reason: str
    since: Instant
    valid_until: Instant | None = None


class TierRetained(EventData, kw_only=True, omit_defaults=True):
    """The tier stays, but until another date than said before."""

    TYPE = "loyalty.tier.retained.v1"
    tier: str
    valid_until: Instant | None = None


class PointsTransferred(EventData, kw_only=True, omit_defaults=True):
    """Points moved with a member whose id was claimed: in (+) from the `other`, or out (−); a debt the other way."""

    TYPE = "loyalty.points.transferred.v1"
    points: int
    other: str
    lots: list[LotChange] = []


class StampCollected(EventData, kw_only=True, omit_defaults=True):
    """A card has more stamps, or (negative) fewer: `total` now, `missing` to the next time that it is complete."""

    TYPE = "loyalty.stamp.collected.v1"
    card: str
    stamps: int
    total: int
    missing: int


class StampCardCompleted(EventData, kw_only=True, omit_defaults=True):
    """A card was completed for the `number`th time, more often than ever: `cards` more rewards, or points, are due."""

    TYPE = "loyalty.stamp_card.completed.v1"
    card: str
    number: int
    cards: int
    reward: str = ""


class ReferralRewarded(EventData, kw_only=True, omit_defaults=True):
    """A referral counts: this member is rewarded as its `role` says, for the order of the referee."""

    TYPE = "loyalty.referral.rewarded.v1"
    referral: str
    role: str
    other: str
    order: str
    points: int


class ReferralBlocked(EventData, kw_only=True, omit_defaults=True):
    """A referral doesn't count, for either member: why (a code of `shared.reasons`)."""

    TYPE = "loyalty.referral.blocked.v1"
    referral: str
    role: str
    other: str
    reason: str


class ReferralReversed(EventData, kw_only=True, omit_defaults=True):
    """A referral that counted doesn't any more: what was given for it is taken back."""

    TYPE = "loyalty.referral.reversed.v1"
    referral: str
    role: str
    other: str
    order: str
    reason: str


class MemberEnrolled(EventData, kw_only=True, omit_defaults=True):
    """The member joined, or their segments or attributes changed."""

    TYPE = "loyalty.member.enrolled.v1"
    joined_at: Instant
    segments: list[str] = []
    attributes: dict[str, str] = {}


class MemberClosed(EventData, kw_only=True, omit_defaults=True):
    """The membership ended; what was left expired."""

    TYPE = "loyalty.member.closed.v1"


class FactRecorded(EventData, kw_only=True, omit_defaults=True):
    """A fact was taken in and moved no points: why (a code of `shared.reasons`), and what it changed."""

    TYPE = "loyalty.fact.recorded.v1"
    reason: str
    rules: list[RuleShare] = []
    lines: dict[str, int] = {}


D = TypeVar("D", bound=EventData)

_common_of = attrgetter(*COMMON)


class PointEvent(msgspec.Struct, Generic[D], kw_only=True):
    """The CloudEvents envelope. `id` is `program/member/sequence`: the same fact decided again gets the same id."""

    specversion: str = "1.0"
    id: str
    source: str = SOURCE
    type: str
    subject: str
    time: Instant
    datacontenttype: str = "application/json"
    partitionkey: str
    program: str
    data: D

    def __post_init__(self) -> None:
        """Refuse data that no decision has made whole.

        Raises:
            ValueError: a field of `COMMON` is missing; `msgspec.ValidationError` where it is so in bytes.
        """
        if msgspec.UNSET in _common_of(self.data):
            missing = next(name for name in COMMON if getattr(self.data, name) is msgspec.UNSET)
            raise ValueError(f"the data has no {missing}")
