"""The terms of a program as values: what `decide` reads, made from the document by `program.compile`."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import msgspec


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
    """A multiplier for a time, on the lines selected."""

    id: str
    multiplier: Fraction
    selection: Selection = Selection()
    conditions: Conditions = Conditions()
    minimum_micros: int = 0


class TierLevel(msgspec.Struct, frozen=True):
    """A level: reached at `threshold` (points, or micros of money where spend is the measure)."""

    id: str
    threshold: int
    multiplier: Fraction = Fraction(1)
    benefits: tuple[str, ...] = ()


class Tiers(msgspec.Struct, frozen=True):
    """The ladder: `measure` points_earned or spend, `window` lifetime or calendar_year; levels ascend from `base`.

    The base stands in `levels` too, first, with threshold 0.
    """

    base: str
    levels: tuple[TierLevel, ...]
    measure: str = "points_earned"
    window: str = "lifetime"
    grace_days: int = 0
    fall: str = "qualified"


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


class Versions(msgspec.Struct, frozen=True):
    """All versions of one program, ascending by version."""

    all: tuple[Program, ...]

    def at(self, instant: datetime) -> Program | None:
        """The version in force at an instant: the newest whose instant has come. None: none yet.

        When two versions take force at the same instant, the newer one counts.
        """
        for program in reversed(self.all):
            if program.in_force_from <= instant:
                return program
        return None

    def numbered(self, version: int) -> Program:
        """The version an award has pinned."""
        return self.all[version - 1]
