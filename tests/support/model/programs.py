"""Random programs: every setting of the terms, in any combination that a document could say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from services.earning.program.terms import (
    Activity,
    Basis,
    Campaign,
    Caps,
    Card,
    Conditions,
    Expiry,
    Limit,
    Pending,
    Program,
    Reviews,
    Reward,
    Rule,
    Selection,
    TierLevel,
    Tiers,
    Versions,
)
from tests.support.model.chance import Chance

BEGINNING = datetime(2023, 1, 1, tzinfo=UTC)
CATEGORIES = ("coffee", "tea", "cake")
SKUS = ("s1", "s2", "s3")
CHANNELS = ("web", "shop")
STORES = ("berlin", "paris")
SEGMENTS = ("staff", "vip")
TIERS = ("base", "silver", "gold")
KINDS = ("pot", "run", "news")
LABELS = ("city", "shoe")
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
)
REWARDS = (Reward("mug", 30), Reward("lounge", 60, frozenset({"gold"})))
RATES = (Fraction(1), Fraction(1, 2), Fraction(3), Fraction(1, 3), Fraction(5, 4))
MULTIPLIERS = (Fraction(2), Fraction(3, 2), Fraction(5, 4), Fraction(1))
ANSWERS = (True, False)
MINIMUMS = (0, 0, 0, 20_000_000, 50_000_000)


def some(chance: Chance, words: tuple[str, ...]) -> frozenset[str]:
    """Mostly none of the words: no condition."""
    return frozenset(chance.subset(words, 1)) if chance.once_in(3) else frozenset()


def selection(chance: Chance) -> Selection:
    """Which lines."""
    if chance.once_in(2):
        return Selection()
    return Selection(some(chance, CATEGORIES), some(chance, SKUS), some(chance, CATEGORIES), some(chance, SKUS))


def instant(chance: Chance) -> datetime | None:
    """An instant within the years that the facts are in, or none."""
    return BEGINNING + timedelta(days=chance.number(0, 1100)) if chance.once_in(3) else None


def conditions(chance: Chance) -> Conditions:
    """Who and when; mostly nobody is left out."""
    if not chance.once_in(3):
        return Conditions()
    starts, ends = instant(chance), instant(chance)
    if starts and ends and ends <= starts:
        ends = starts + timedelta(days=100)
    return Conditions(
        tiers=some(chance, TIERS),
        segments=some(chance, SEGMENTS),
        channels=some(chance, CHANNELS),
        stores=some(chance, STORES),
        weekdays=frozenset(chance.subset(range(1, 8), 2) if chance.once_in(3) else ()),
        hours=frozenset(chance.subset(range(24), 8) if chance.once_in(3) else ()),
        first_order=chance.one(None, None, *ANSWERS),
        starts_at=starts,
        ends_at=ends,
    )


def circumstances(chance: Chance) -> Conditions:
    """Who and when, of what is no order."""
    return replace(conditions(chance), channels=frozenset(), stores=frozenset(), first_order=None)


def rule(chance: Chance, number: int) -> Rule:
    """A rule with a rate, or with fixed points; the first mostly for everybody."""
    if number == 1 and not chance.once_in(3):
        return Rule(id="rule-1", rate=chance.among(RATES))
    fixed = chance.once_in(4)
    return Rule(
        id=f"rule-{number}",
        rate=None if fixed else chance.among(RATES),
        points=chance.number(1, 60) if fixed else None,
        selection=selection(chance),
        conditions=conditions(chance),
        minimum_micros=chance.among(MINIMUMS),
        priority=chance.number(-1, 1),
    )


def campaign(chance: Chance, number: int) -> Campaign:
    """A multiplier for a time, of orders or of what it names."""
    if chance.once_in(3):
        named = frozenset(chance.subset(("review", *KINDS), 1))
        return Campaign(
            f"campaign-{number}", chance.among(MULTIPLIERS), conditions=circumstances(chance), activities=named
        )
    return Campaign(
        id=f"campaign-{number}",
        multiplier=chance.among(MULTIPLIERS),
        selection=selection(chance),
        conditions=conditions(chance),
        minimum_micros=chance.among(MINIMUMS),
    )


def ladder(chance: Chance) -> Tiers:
    """Three levels, in reach of a few orders."""
    measure = chance.one("points_earned", "points_earned", "spend", "order_count")
    unit = 1_000_000 if measure == "spend" else 1
    most = 2 if measure == "order_count" else 80
    first, fall = chance.number(1, most), chance.one("qualified", "one_level")
    thresholds = (0, first * unit, (first + chance.number(1, most)) * unit)
    return Tiers(
        base=TIERS[0],
        levels=tuple(
            TierLevel(
                tier,
                threshold,
                chance.among(MULTIPLIERS) if threshold else Fraction(1),
                entry_bonus=chance.one(0, 0, 7, 50) if threshold else 0,
                activities=tuple((kind, chance.among(MULTIPLIERS)) for kind in chance.subset(("review", *KINDS))),
            )
            for tier, threshold in zip(TIERS, thresholds, strict=True)
        ),
        measure=measure,
        window=chance.one("lifetime", "calendar_year", "calendar_year", "anniversary", "rolling"),
        months=chance.one(1, 3, 12),
        grace_days=chance.one(0, 0, 14),
        fall=fall,
        open_refund=chance.one("window_end", "window_end", "at_once"),
    )


def pending_time(chance: Chance) -> Pending | None:
    """How long points wait; often not at all."""
    return Pending(chance.one("paid", "fulfilled"), chance.one(0, 1, 14)) if chance.once_in(2) else None


def expiry(chance: Chance) -> Expiry:
    """How points end; short lives, so that some do."""
    if chance.once_in(2):
        return Expiry()
    return Expiry(chance.one("after_available", "inactivity"), chance.one(1, 3, 12))


def limits(chance: Chance) -> Caps:
    """The most points of orders; often no limit."""
    if not chance.once_in(3):
        return Caps()
    return Caps(*(chance.one(None, chance.number(1, 150)) for _ in range(4)))


def basis(chance: Chance) -> Basis:
    """What of an order's money earns."""
    return Basis(*(chance.once_in(2) for _ in range(6))) if chance.once_in(2) else Basis()


def reviews(chance: Chance) -> Reviews | None:
    """Points for reviews; mostly there are some."""
    if chance.once_in(4):
        return None
    return Reviews(
        points=chance.number(1, 40),
        photo=chance.one(0, 5, 60),
        video=chance.one(0, 30, 90),
        verified_only=chance.once_in(3),
        length_min=chance.one(0, 0, 20),
        once_per_product=not chance.once_in(3),
    )


def activity(chance: Chance, kind: str) -> Activity:
    """Points for an activity, or only stamps; often limited."""
    per = chance.one("lifetime", "lifetime", "lifetime", "day", "week", "month", "year")
    return Activity(
        id=kind,
        points=0 if chance.once_in(4) else chance.number(1, 30),
        per_unit=chance.once_in(2),
        limit=None if chance.once_in(3) else Limit(chance.one(1, 1, 2, 3), per),
        attributes=frozenset(chance.subset(LABELS)),
        conditions=circumstances(chance) if chance.once_in(2) else Conditions(),
    )


def card(chance: Chance, number: int) -> Card:
    """A card of an activity's units or of orders', for points or a reward in words."""
    pays = not chance.once_in(3)
    return Card(
        id=f"card-{number}",
        every=chance.one(1, 2, 3, 5, 8),
        activity="" if number > len(KINDS) - 1 else KINDS[number - 1],
        selection=selection(chance) if number > len(KINDS) - 1 else None,
        points=chance.number(1, 60) if pays else 0,
        reward="" if pays else "a mug",
    )


def beyond_orders(chance: Chance) -> dict[str, Any]:
    """What else earns: settings of a program."""
    kinds = chance.subset(KINDS, 2) if not chance.once_in(8) else []
    cards = [card(chance, number) for number in chance.subset(range(1, 5), 1)]
    return {
        "reviews": reviews(chance),
        "activities": tuple(activity(chance, kind) for kind in kinds),
        "cards": tuple(one for one in cards if one.activity in ("", *kinds)),
        "enrolment_bonus": chance.one(0, 9, 40),
    }


def program_versions(chance: Chance) -> Versions:
    """One or two versions of a program; how points live and which tiers there are stays as it is."""
    zone = ZoneInfo(chance.among(ZONES))
    currency = chance.one("EUR", "EUR", "EUR", "JPY", "KWD")
    tiers = None if chance.once_in(3) else ladder(chance)
    waits, ends, caps = pending_time(chance), expiry(chance), limits(chance)
    versions: list[Program] = []
    in_force, others = BEGINNING, beyond_orders(chance)
    for version in range(1, 1 + chance.one(1, 1, 2)):
        others = beyond_orders(chance) if chance.once_in(2) else others
        versions.append(
            Program(
                name="club",
                version=version,
                in_force_from=in_force,
                currency=currency,
                zone=zone,
                rules=tuple(rule(chance, number) for number in range(1, 1 + chance.number(1, 3))),
                campaigns=tuple(campaign(chance, number) for number in range(1, 1 + chance.number(0, 2))),
                basis=basis(chance),
                rounding=chance.one("floor", "floor", "half_up", "half_even", "ceiling"),
                stacking=chance.one("sum", "best", "first"),
                multipliers=chance.one("multiply", "highest"),
                gate=chance.one("paid", "paid", "fulfilled"),
                deficit=chance.one("carry", "carry", "forgive"),
                tiers=tiers,
                pending=waits,
                expiry=ends,
                caps=caps,
                rewards=REWARDS,
                **others,
            )
        )
        in_force += timedelta(days=chance.number(30, 700), hours=chance.number(0, 23))
    return Versions(tuple(versions))
