"""A member's points in the naive model: lots, deficit, gross counters (rules 12, 18, 31, 57, 58)."""

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
    """Points of one award with a life of their own."""

    number: int
    key: KeyId
    points: int
    remaining: int
    earned_at: datetime
    available_at: datetime | None
    expires_at: datetime | None = None
    pending: bool = False

    @property
    def turn(self) -> tuple[datetime, datetime, int]:
        """Its place in the order of consumption (rule 18)."""
        return (self.expires_at or NEVER, self.earned_at, self.number)


@dataclass
class Account:
    """What a member has, and every counter that only grows."""

    lots: list[NaiveLot] = field(default_factory=list)
    deficit: int = 0
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))

    @property
    def available(self) -> int:
        return sum(lot.remaining for lot in self.lots if not lot.pending)

    @property
    def pending(self) -> int:
        return sum(lot.remaining for lot in self.lots if lot.pending)

    def spendable(self) -> list[NaiveLot]:
        """Lots in the order of consumption."""
        return sorted((lot for lot in self.lots if not lot.pending and lot.remaining), key=lambda lot: lot.turn)

    def add(self, lot: NaiveLot) -> NaiveLot:
        """A new lot; if it can be spent, it pays the deficit first."""
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

    def reverse(self, key: KeyId, points: int, *, forgive: bool) -> None:
        """Take an award's points back, in the order of rule 12."""
        self.counters["reversed"] += points
        own = [lot for lot in self.lots if lot.key == key]
        rest = self.take([lot for lot in own if lot.pending], points)
        newest = sorted((lot for lot in own if not lot.pending), key=lambda lot: -lot.number)
        rest = self.take(newest, rest)
        rest = self.take(self.spendable(), rest)
        if forgive:
            self.counters["forgiven"] += rest
        else:
            self.deficit += rest

    def equation(self) -> bool:
        """Rule 31."""
        plus = ("earned", "restored", "adjusted", "imported", "expired_reversed", "forgiven", "reinstated")
        minus = ("transferred_out", "reversed", "redeemed", "expired", "reverted")
        total = sum(self.counters[name] for name in (*plus, "transferred_in"))
        return self.available + self.pending - self.deficit == total - sum(self.counters[name] for name in minus)
