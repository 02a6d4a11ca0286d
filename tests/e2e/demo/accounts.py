"""A household's account in the second count: lots of points, when they can be spent, when they end, who owes what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

TIERS = (("bronze", 0, Fraction(1)), ("silver", 1500, Fraction(5, 4)), ("gold", 4000, Fraction(3, 2)))
LATE = timedelta(hours=1)
WAIT_DAYS, LIFE_MONTHS, LATE_LIFE_DAYS = 7, 6, 30
NEW_YORK = ZoneInfo("America/New_York")


@dataclass
class Lot:
    """Points that came together: those that are left, when they can be spent, and how many had ended."""

    number: int
    earned_at: datetime
    left: int
    spendable_at: datetime
    waits: bool
    ends_at: datetime | None = None
    ended: int = 0


@dataclass
class Award:
    """What an order, a review, cards or a referral have given one household, and the lots that it lies in."""

    points: int = 0
    lots: list[Lot] = field(default_factory=list)


@dataclass
class Account:
    """Points owed, gross sums, lots, and every tier with the instant since which it is held."""

    deficit: int = 0
    earned: int = 0
    reversed: int = 0
    redeemed: int = 0
    expired: int = 0
    expired_reversed: int = 0
    qualifying: int = 0
    tiers: list[tuple[datetime | None, int]] = field(default_factory=lambda: [(None, 0)])
    clock: datetime | None = None
    decided: datetime | None = None
    lots: list[Lot] = field(default_factory=list)

    @property
    def tier(self) -> str:
        """The tier held now."""
        return TIERS[self.tiers[-1][1]][0]

    @property
    def available(self) -> int:
        """Points that can be spent."""
        return sum(lot.left for lot in self.lots if not lot.waits)

    @property
    def pending(self) -> int:
        """Points that wait."""
        return sum(lot.left for lot in self.lots if lot.waits)

    @property
    def adds_up(self) -> bool:
        """Whether what there is is what came less what went."""
        came, went = self.earned + self.expired_reversed, self.reversed + self.redeemed + self.expired
        return self.available + self.pending - self.deficit == came - went

    def tier_at(self, instant: datetime) -> int:
        """The tier held at an instant."""
        return next(level for since, level in reversed(self.tiers) if since is None or since <= instant)

    def tick(self, occurred: datetime, received: datetime) -> None:
        """Time moves on: points that waited come, points whose time is over go."""
        decided = max(self.decided, received) if self.decided else received
        now = max(min(occurred, decided), decided - LATE)
        self.clock = max(self.clock, now) if self.clock else now
        self.decided = decided
        while due := min(((at, kind, lot.number) for lot in self.lots for at, kind in _dues(lot)), default=None):
            at, kind, number = due
            if at > self.clock:
                break
            lot = self.lots[number]
            if kind == 0:
                lot.waits = False
                lot.ends_at = day_after(months_later(day(at), LIFE_MONTHS))
                self._come(lot, at)
            else:
                self.expired += lot.left
                lot.ended, lot.left = lot.ended + lot.left, 0

    def bring(self, award: Award, points: int, occurred: datetime, spendable_at: datetime | None = None) -> None:
        """Give or take back what an award should have less what it has; without a date points can be spent at once."""
        change, award.points = points - award.points, points
        if change > 0:
            self._give(award, change, occurred, spendable_at or occurred)
        elif change < 0:
            self._take_back(award, -change)

    def redeem(self, points: int) -> None:
        """Spend points that are there."""
        self.redeemed += points
        self._spend(points)

    def _come(self, lot: Lot, now: datetime) -> None:
        """Points can be spent from now on: they pay what is owed and count for the tier."""
        self.qualifying += lot.left
        paid = min(self.deficit, lot.left)
        self.deficit -= paid
        lot.left -= paid
        reached = max(level for level, (_, threshold, _) in enumerate(TIERS) if threshold <= self.qualifying)
        if reached > self.tiers[-1][1]:  # within the year nobody falls
            self.tiers.append((now, reached))

    def _give(self, award: Award, points: int, occurred: datetime, spendable_at: datetime) -> None:
        """A further lot; one whose days of waiting are over already can be spent at once."""
        assert self.clock is not None
        assert self.decided is not None
        self.earned += points
        lot = Lot(len(self.lots), occurred, points, spendable_at, spendable_at > self.clock)
        self.lots.append(lot)
        award.lots.append(lot)
        if not lot.waits:
            today = day(self.decided)
            late = min(today + timedelta(days=LATE_LIFE_DAYS), months_later(today, LIFE_MONTHS))
            lot.ends_at = day_after(max(months_later(day(spendable_at), LIFE_MONTHS), late))
            self._come(lot, self.clock)

    def _take_back(self, award: Award, points: int) -> None:
        """Take points from the award's own lots, from what of them had ended, from other lots; the rest is owed."""
        self.reversed += points
        waiting = any(lot.waits for lot in award.lots)
        assert not waiting or len(award.lots) == 1, "what waits is one lot"
        if not waiting:
            self.qualifying -= points
        for lot in reversed(award.lots):
            part = min(points, lot.left)
            lot.left -= part
            points -= part
        for lot in reversed(award.lots):
            part = min(points, lot.ended)
            lot.ended -= part
            self.expired_reversed += part
            points -= part
        self.deficit += self._spend(points, but=award.lots)

    def _spend(self, points: int, but: Iterable[Lot] = ()) -> int:
        """Take points out of lots that can be spent, soonest end first; what is not there is given back."""
        own = {lot.number for lot in but}
        lots = [lot for lot in self.lots if lot.left and not lot.waits and lot.number not in own]
        for lot in sorted(lots, key=lambda lot: (lot.ends_at, lot.earned_at, lot.number)):
            part = min(points, lot.left)
            lot.left -= part
            points -= part
        return points


def _dues(lot: Lot) -> Iterable[tuple[datetime, int]]:
    """What is due for a lot, if anything is left of it: 0 it can be spent, 1 it ends."""
    if lot.left and lot.waits:
        yield lot.spendable_at, 0
    elif lot.left and lot.ends_at is not None:
        yield lot.ends_at, 1


def after_waiting(paid_at: datetime) -> datetime:
    """When points of an order paid then can be spent."""
    return day_after(day(paid_at) + timedelta(days=WAIT_DAYS))


def day(instant: datetime) -> date:
    """New York's date."""
    return instant.astimezone(NEW_YORK).date()


def day_after(present: date) -> datetime:
    """The first instant of the next day; New York's midnights are never skipped."""
    return datetime.combine(present + timedelta(days=1), datetime.min.time(), NEW_YORK).astimezone(UTC)


def months_later(present: date, months: int) -> date:
    """The same day so many months later, or the last one of that month."""
    year, month = divmod(present.year * 12 + present.month - 1 + months, 12)
    following = date(year + month // 11, (month + 1) % 12 + 1, 1)
    return min(date(year, month + 1, 1) + timedelta(days=present.day - 1), following - timedelta(days=1))
