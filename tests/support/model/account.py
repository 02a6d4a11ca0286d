"""A member's points in the naive model: lots, deficit, gross counters (rules 12, 16-18, 20, 31, 57, 58)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

NEVER = datetime.max.replace(tzinfo=UTC)

COUNTERS = (
    "earned",
    "restored",
    "adjusted",
    "imported",
    "expired_reversed",
    "forgiven",
    "reinstated",
    "transferred_in",
    "transferred_out",
    "reversed",
    "redeemed",
    "expired",
    "reverted",
)

KeyId = tuple[str, str, str]
"""Source, kind and id of what points belong to."""


@dataclass
class NaiveLot:
    """Points of one award with a life of their own.

    `expires_at` is its own date; a lot that `follows` the member's activity lives at least as long as that says.
    `months` is its life by the version it was awarded under; `used_days` says that it had its 30 days (rule 20).
    `expired` is what of it has expired, and was neither reversed nor given back since.
    """

    number: int
    key: KeyId
    points: int
    remaining: int
    earned_at: datetime
    available_at: datetime | None
    expires_at: datetime | None = None
    follows: bool = False
    pending: bool = False
    release_at: datetime | None = None
    months: int = 0
    used_days: bool = False
    expired: int = 0


@dataclass
class Taken:
    """What a redemption took of a lot, and how many days that had left."""

    lot: NaiveLot
    points: int
    days_left: int | None
    last: datetime | None


@dataclass
class Account:
    """What a member has, and every counter that only grows; a guest's account `waits` for their enrolment.

    `watching` has, for every redemption, what was forgiven since: it is made up for once, whoever makes up for it.
    """

    lots: list[NaiveLot] = field(default_factory=list)
    deficit: int = 0
    inactive_at: datetime | None = None
    waits: bool = False
    watching: list[list[list[int]]] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))

    @property
    def available(self) -> int:
        return sum(lot.remaining for lot in self.lots if not lot.pending)

    @property
    def pending(self) -> int:
        return sum(lot.remaining for lot in self.lots if lot.pending)

    def ends(self, lot: NaiveLot) -> datetime | None:
        """The first instant at which a lot can't be spent; none: never."""
        if not lot.follows or self.inactive_at is None:
            return lot.expires_at
        return max(self.inactive_at, lot.expires_at or self.inactive_at)

    def spendable(self) -> list[NaiveLot]:
        """Lots in the order of consumption (rule 18)."""
        lots = [lot for lot in self.lots if not lot.pending and lot.remaining]
        return sorted(lots, key=lambda lot: (self.ends(lot) or NEVER, lot.earned_at, lot.number))

    def of(self, key: KeyId) -> list[NaiveLot]:
        """An award's lots, newest first."""
        return sorted((lot for lot in self.lots if lot.key == key), key=lambda lot: -lot.number)

    def add(self, lot: NaiveLot) -> NaiveLot:
        """A new lot; if it can be spent, it pays the deficit first. A guest's lots all wait (rule 30)."""
        if self.waits and not lot.pending:
            lot.pending, lot.release_at, lot.available_at = True, lot.available_at, None
        self.lots.append(lot)
        if not lot.pending:
            self.pay_deficit(lot)
        return lot

    def pay_deficit(self, lot: NaiveLot) -> None:
        """What becomes available pays what is owed (rules 12, 58)."""
        paid = min(self.deficit, lot.remaining)
        self.deficit -= paid
        lot.remaining -= paid

    def take(self, lots: list[NaiveLot], points: int) -> int:
        """Take points out of lots in the order given; returns what could not be taken."""
        for lot in lots:
            part = min(points, lot.remaining)
            lot.remaining -= part
            points -= part
        return points

    def expire(self, lot: NaiveLot) -> None:
        """The lot's time is over."""
        self.counters["expired"] += lot.remaining
        lot.expired += lot.remaining
        lot.remaining = 0

    def forgive(self, points: int) -> None:
        """Points that nobody will owe."""
        if points:
            self.counters["forgiven"] += points
            entry = [points]
            for known in self.watching:
                known.append(entry)

    def reverse(self, key: KeyId, points: int, *, forgive: bool, counter: str = "reversed") -> None:
        """Take an award's points back, in the order of rule 12."""
        self.counters[counter] += points
        rest = self.take([lot for lot in self.of(key) if lot.pending], points)
        rest = self.take([lot for lot in self.of(key) if not lot.pending], rest)
        gone = self.undo_expiry(key, rest)
        self.counters["expired_reversed"] += gone
        self.owe(self.take(self.spendable(), rest - gone), forgive=forgive)

    def undo_expiry(self, key: KeyId, points: int) -> int:
        """An award's expired part gets smaller, its newest lots first; returns by how much."""
        rest = points
        for lot in self.of(key):
            part = min(rest, lot.expired)
            lot.expired -= part
            rest -= part
        return points - rest

    def owe(self, points: int, *, forgive: bool) -> None:
        """What could not be taken."""
        if forgive:
            self.forgive(points)
        else:
            self.deficit += points

    def make_up(self, points: int, since: list[list[int]]) -> int:
        """Points that come back make up for what was forgiven since then (rule 57); returns what is beyond it."""
        for entry in since:
            part = min(points, entry[0])
            entry[0] -= part
            points -= part
        return points

    def equation(self) -> bool:
        """Rule 31."""
        plus = ("earned", "restored", "adjusted", "imported", "expired_reversed", "forgiven", "reinstated")
        minus = ("transferred_out", "reversed", "redeemed", "expired", "reverted")
        total = sum(self.counters[name] for name in (*plus, "transferred_in"))
        return self.available + self.pending - self.deficit == total - sum(self.counters[name] for name in minus)
