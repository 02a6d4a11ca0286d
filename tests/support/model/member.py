"""A member of the naive model, and what is remembered of orders and commands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.earning.source_events.facts import Fact
from shared.facts.imports import BalanceImport
from tests.support.model.account import Account, KeyId, Taken
from tests.support.model.awards import Award
from tests.support.model.referral_books import NaiveReferral, NaiveReferred, NaiveReward


class DeadLetterError(Exception):
    """The fact can't be decided; nothing changes."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Pinned:
    """What is answered once for an order, when it is first decided (rules 5, 36, 50)."""

    tier: str
    segments: tuple[str, ...]
    first_order: bool
    cap_when: datetime


@dataclass(frozen=True)
class Given:
    """A tier that a person or an import gave, until when (none: for ever), and by which row of an import."""

    tier: str
    until: datetime | None
    by: KeyId | None = None


@dataclass
class NaiveOrder:
    """An order: the facts seen, what is pinned, what it is worth now.

    `over_at` is when its pending time is over (none: not known), for measures that qualify without points.
    """

    facts: list[Fact] = field(default_factory=list)
    pinned: Pinned | None = None
    award: Award = field(default_factory=Award)
    spend: int = 0
    when: datetime | None = None
    over_at: datetime | None = None
    uncapped: int = 0
    left: bool = False
    counts: bool = False
    stamps: dict[str, int] = field(default_factory=dict)


@dataclass
class NaiveGrant:
    """What is worth something and is no order: the facts seen, what is pinned, what it is worth now.

    `place` is what it holds that only so many can have (a product reviewed, a window of a limit), `refused` what it
    was refused: both begin with what it was told for.
    """

    facts: list[Fact] = field(default_factory=list)
    pinned: Pinned | None = None
    points: int = 0
    when: datetime | None = None
    place: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    stamps: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Completed:
    """Cards that one fact completed, from a number on; each needs its number times so many stamps."""

    key: KeyId
    first: int
    cards: int
    every: int
    each: int


@dataclass
class NaiveCard:
    """A member's card: how often it was complete at most, and what is paid for, the last at the end.

    `every` is how many stamps completed it by the version that gave or took some last.
    """

    every: int = 1
    best: int = 0
    paid: list[Completed] = field(default_factory=list)


@dataclass
class Said:
    """What the latest fact of something that isn't an order should lead to, besides points: why nothing, and stamps.

    Stamps are (card, change, total, missing), completions (card, number, cards more).
    """

    reason: str = ""
    stamps: list[tuple[str, int, int, int]] = field(default_factory=list)
    completed: list[tuple[str, int, int]] = field(default_factory=list)


@dataclass
class NaiveRedemption:
    """A redemption: what was taken, what came back, which cancels are known."""

    request: Fact | None = None
    rejected: str = ""
    taken: list[Taken] = field(default_factory=list)
    forgiven: list[list[int]] = field(default_factory=list)
    cancels: dict[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class Qualifying:
    """Something besides orders that counts for tiers, at its own time."""

    at: datetime
    points: int


@dataclass
class NaiveMember:
    """A member as far as time has come."""

    name: str
    account: Account = field(default_factory=Account)
    clock: datetime | None = None
    decided_at: datetime | None = None
    orders: dict[KeyId, NaiveOrder] = field(default_factory=dict)
    grants: dict[KeyId, NaiveGrant] = field(default_factory=dict)
    cards: dict[str, NaiveCard] = field(default_factory=dict)
    said: Said = field(default_factory=Said)
    bonuses: dict[KeyId, int] = field(default_factory=dict)
    buckets: set[str] = field(default_factory=set)
    redemptions: dict[KeyId, NaiveRedemption] = field(default_factory=dict)
    commands: dict[KeyId, list[Fact]] = field(default_factory=dict)
    extra: dict[KeyId, Qualifying] = field(default_factory=dict)
    imported: dict[KeyId, BalanceImport] = field(default_factory=dict)
    tier: str = ""
    natural: str = ""
    given: Given | None = None
    history: list[tuple[datetime, str]] = field(default_factory=list)
    words: list[Fact] = field(default_factory=list)
    tier_words: list[Fact] = field(default_factory=list)
    since: datetime | None = None
    cause_at: datetime | None = None
    closed: bool = False
    referrals: dict[KeyId, NaiveReferral] = field(default_factory=dict)
    referred: dict[KeyId, NaiveReferred] = field(default_factory=dict)
    rewards: dict[KeyId, NaiveReward] = field(default_factory=dict)
    segments: tuple[str, ...] = ()
    claims: dict[KeyId, bool] = field(default_factory=dict)
    claiming: list[str] = field(default_factory=list)
    claimed_by: str = ""

    @property
    def provisional(self) -> bool:
        """Whether they are a guest, in a program that asks for enrolment."""
        return self.account.waits

    @property
    def now(self) -> datetime:
        """The member's clock; there is one as soon as anything is known of them."""
        assert self.clock is not None
        return self.clock
