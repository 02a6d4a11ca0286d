"""Random programs: every setting of the terms, in any combination that a document could say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from services.earning.program.terms import (
    Basis,
    Campaign,
    Caps,
    Conditions,
    Expiry,
    Pending,
    Program,
    Reward,
    Rule,
    Selection,
    TierLevel,
    Tiers,
    Versions,
)

BEGINNING = datetime(2023, 1, 1, tzinfo=UTC)
CATEGORIES = ("coffee", "tea", "cake")
SKUS = ("s1", "s2", "s3")
CHANNELS = ("web", "shop")
STORES = ("berlin", "paris")
SEGMENTS = ("staff", "vip")
TIERS = ("base", "silver", "gold")
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
MINIMUMS = (0, 0, 0, 20_000_000, 50_000_000)


def some(words: tuple[str, ...]) -> st.SearchStrategy[frozenset[str]]:
    """Mostly none of the words: no condition."""
    return st.one_of(st.just(frozenset()), st.just(frozenset()), st.frozensets(st.sampled_from(words), min_size=1))


def selections() -> st.SearchStrategy[Selection]:
    """Which lines."""
    mostly = st.just(Selection())
    return st.one_of(mostly, st.builds(Selection, some(CATEGORIES), some(SKUS), some(CATEGORIES), some(SKUS)))


def instants() -> st.SearchStrategy[datetime | None]:
    """An instant within the years that the facts are in, or none."""
    days = st.integers(0, 1100).map(lambda day: BEGINNING + timedelta(days=day))
    return st.one_of(st.none(), st.none(), days)


@st.composite
def conditions(draw: st.DrawFn) -> Conditions:
    """Who and when; mostly nobody is left out."""
    if draw(st.integers(0, 2)):
        return Conditions()
    starts, ends = draw(instants()), draw(instants())
    if starts and ends and ends <= starts:
        ends = starts + timedelta(days=100)
    return Conditions(
        tiers=draw(some(TIERS)),
        segments=draw(some(SEGMENTS)),
        channels=draw(some(CHANNELS)),
        stores=draw(some(STORES)),
        weekdays=draw(st.one_of(st.just(frozenset[int]()), st.frozensets(st.integers(1, 7), min_size=2))),
        hours=draw(st.one_of(st.just(frozenset[int]()), st.frozensets(st.integers(0, 23), min_size=8))),
        first_order=draw(st.sampled_from((None, None, True, False))),
        starts_at=starts,
        ends_at=ends,
    )


@st.composite
def rules(draw: st.DrawFn, number: int) -> Rule:
    """A rule with a rate, or with fixed points."""
    if number == 1 and draw(st.integers(0, 2)):
        return Rule(id="rule-1", rate=draw(st.sampled_from(RATES)))
    fixed = draw(st.integers(0, 3)) == 3
    return Rule(
        id=f"rule-{number}",
        rate=None if fixed else draw(st.sampled_from(RATES)),
        points=draw(st.integers(1, 60)) if fixed else None,
        selection=draw(selections()),
        conditions=draw(conditions()),
        minimum_micros=draw(st.sampled_from(MINIMUMS)),
        priority=draw(st.integers(-1, 1)),
    )


@st.composite
def campaigns(draw: st.DrawFn, number: int) -> Campaign:
    """A multiplier for a time."""
    return Campaign(
        id=f"campaign-{number}",
        multiplier=draw(st.sampled_from(MULTIPLIERS)),
        selection=draw(selections()),
        conditions=draw(conditions()),
        minimum_micros=draw(st.sampled_from(MINIMUMS)),
    )


@st.composite
def ladders(draw: st.DrawFn) -> Tiers:
    """Three levels, in reach of a few orders."""
    measure = draw(st.sampled_from(("points_earned", "points_earned", "spend", "order_count")))
    unit = 1_000_000 if measure == "spend" else 1
    most = 2 if measure == "order_count" else 80
    first, fall = draw(st.integers(1, most)), draw(st.sampled_from(("qualified", "one_level")))
    thresholds = (0, first * unit, (first + draw(st.integers(1, most))) * unit)
    return Tiers(
        base=TIERS[0],
        levels=tuple(
            TierLevel(
                tier,
                threshold,
                draw(st.sampled_from(MULTIPLIERS)) if threshold else Fraction(1),
                entry_bonus=draw(st.sampled_from((0, 0, 7, 50))) if threshold else 0,
            )
            for tier, threshold in zip(TIERS, thresholds, strict=True)
        ),
        measure=measure,
        window=draw(st.sampled_from(("lifetime", "calendar_year", "calendar_year", "anniversary", "rolling"))),
        months=draw(st.sampled_from((1, 3, 12))),
        grace_days=draw(st.sampled_from((0, 0, 14))),
        fall=fall,
        open_refund=draw(st.sampled_from(("window_end", "window_end", "at_once")))
        if fall == "qualified"
        else "window_end",
    )


def pendings() -> st.SearchStrategy[Pending | None]:
    """How long points wait; often not at all."""
    days = st.sampled_from((0, 1, 14))
    return st.one_of(st.none(), st.none(), st.builds(Pending, st.sampled_from(("paid", "fulfilled")), days))


def expiries() -> st.SearchStrategy[Expiry]:
    """How points end; short lives, so that some do."""
    return st.one_of(
        st.just(Expiry()),
        st.builds(Expiry, st.sampled_from(("after_available", "inactivity")), st.sampled_from((1, 3, 12))),
    )


def all_caps() -> st.SearchStrategy[Caps]:
    """The most points of orders; often no limit."""
    limits = st.one_of(st.none(), st.integers(1, 150))
    return st.one_of(st.just(Caps()), st.just(Caps()), st.builds(Caps, limits, limits, limits, limits))


@st.composite
def program_versions(draw: st.DrawFn) -> Versions:
    """One or two versions of a program; the ladder of tiers stays as it is."""
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    currency = draw(st.sampled_from(("EUR", "EUR", "EUR", "JPY", "KWD")))
    tiers = draw(st.one_of(st.none(), ladders(), ladders()))
    pending, expiry, caps = draw(pendings()), draw(expiries()), draw(all_caps())
    if tiers is not None and tiers.measure != "points_earned":
        pending = None
    versions = []
    in_force = BEGINNING
    for version in range(1, 1 + draw(st.sampled_from((1, 1, 2)))):
        versions.append(
            Program(
                name="club",
                version=version,
                in_force_from=in_force,
                currency=currency,
                zone=zone,
                rules=tuple(draw(rules(number)) for number in range(1, 1 + draw(st.integers(1, 3)))),
                campaigns=tuple(draw(campaigns(number)) for number in range(1, 1 + draw(st.integers(0, 2)))),
                basis=draw(st.builds(Basis, *[st.booleans()] * 6)) if draw(st.booleans()) else Basis(),
                rounding=draw(st.sampled_from(("floor", "floor", "half_up", "half_even", "ceiling"))),
                stacking=draw(st.sampled_from(("sum", "best", "first"))),
                multipliers=draw(st.sampled_from(("multiply", "highest"))),
                gate=draw(st.sampled_from(("paid", "paid", "fulfilled"))),
                deficit=draw(st.sampled_from(("carry", "carry", "forgive"))),
                tiers=tiers,
                pending=pending,
                expiry=expiry,
                caps=caps,
                rewards=REWARDS,
            )
        )
        in_force += timedelta(days=draw(st.integers(30, 700)), hours=draw(st.integers(0, 23)))
    return Versions(tuple(versions))
