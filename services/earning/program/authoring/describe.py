"""A program in plain words: what a merchant would tell a customer, and what support looks up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction

from services.earning.program.document import (
    Activity,
    Basis,
    Campaign,
    Caps,
    Card,
    Circumstances,
    Document,
    Enrolment,
    Entry,
    Expiry,
    Limit,
    Lines,
    Orders,
    Pending,
    Referrals,
    Reviews,
    Reward,
    Rule,
    Tiers,
    When,
)
from services.earning.program.values import listed, rate_text
from shared.money import decimal

_ROUNDING = {
    "floor": "rounded down",
    "ceiling": "rounded up",
    "half_up": "rounded to the nearest point, a half up",
    "half_even": "rounded to the nearest point, a half to the even one",
}
_STACKING = {
    "sum": "Where several rules select a line, their points add up.",
    "best": "Where several rules select a line, the best one counts; fixed points always add.",
    "first": "Where several rules select a line, the one of the highest priority counts; fixed points always add.",
}
_MULTIPLIERS = {
    "multiply": "Multipliers of tier and campaigns multiply.",
    "highest": "Of several multipliers the highest counts.",
}
_DEFICIT = {
    "carry": "Points taken back that were already spent are owed and paid by later points.",
    "forgive": "Points taken back that were already spent are forgiven.",
}
_WINDOWS = {
    "lifetime": "",
    "calendar_year": " in a calendar year",
    "anniversary": " in a year of membership",
    "rolling": " in the last {months} months",
}
_HELD = {
    "calendar_year": "to the end of the year after the one that earned it",
    "anniversary": "to the end of the year of membership after the one that earned it",
}
_COUNTED = {"points_earned": "points earned", "order_count": "orders"}
_OPEN_REFUND = {
    "window_end": "A refund in the running time is felt at its end.",
    "at_once": "A refund in the running time that takes a member below a level lowers at once.",
}
_BEGINS = {"paid": "the payment", "fulfilled": "the fulfilment"}
_PARTS = {
    "tax": "tax",
    "shipping": "shipping",
    "gift_cards": "gift cards",
    "points_payment": "what is paid with points",
}


Sentences = dict[str, str]
"""What a sentence is about (an entry's id, or a setting) → the sentence."""

HEAD, RULES, BEYOND, CAMPAIGNS, TIERS = "", "Orders earn", "Beyond orders", "Campaigns", "Tiers"
LIFE, REWARDS, SETTINGS = "The life of a point", "Rewards", "How it is worked out"


def describe(document: Document) -> str:
    """The document as Markdown: sections of short sentences, nothing left out that moves points."""
    return "\n".join(_section(title, lines) for title, lines in sentences(document).items() if lines)


def sentences(document: Document) -> dict[str, Sentences]:
    """Title of a section → its sentences, in the order in which they are read."""
    money = document.currency
    return {
        HEAD: _head(document),
        RULES: {rule.id: _rule(rule, money) for rule in document.rules}
        or {"rules": "Nothing: the program has no rules."},
        BEYOND: {
            **({} if document.reviews is None else {"reviews": _reviews(document.reviews)}),
            **{activity.id: _activity(activity) for activity in document.activities},
            **({} if document.referrals is None else {"referrals": _referrals(document.referrals, money)}),
            **({"enrolment": _enrolment(document.enrolment)} if document.enrolment != Enrolment() else {}),
            **{f"card {card.id}": _card(card) for card in document.cards},
        },
        CAMPAIGNS: {campaign.id: _campaign(campaign, money) for campaign in document.campaigns},
        TIERS: {} if document.tiers is None else dict(_tiers(document.tiers, money)),
        LIFE: {"pending": _pending(document.orders.pending), "expiry": _expiry(document.expiry)},
        REWARDS: {reward.id: _reward(reward) for reward in document.rewards},
        SETTINGS: dict(_settings(document.basis, document.orders)),
    }


def _section(title: str, lines: Sentences) -> str:
    heading = f"## {title}\n\n" if title else ""
    return heading + "".join(f"- {line}\n" for line in lines.values())


def _head(document: Document) -> Sentences:
    return {
        "effective_from": f"In force from {document.effective_from.isoformat()} at the earliest.",
        "currency": f"Amounts are in {document.currency}; days and years are those of {document.time_zone}.",
    }


def _rule(rule: Rule, currency: str) -> str:
    if rule.rate is not None:
        given = f"{_points(rule.rate)} for each 1 {currency}"
    else:
        given = f"{_points(Fraction(rule.points or 0))} for the order"
    priority = f", priority {rule.priority}" if rule.priority else ""
    return f"**{rule.id}**: {given}{_limits(rule, currency)}{priority}."


def _campaign(campaign: Campaign, currency: str) -> str:
    of = f" of {listed(campaign.activities)}" if campaign.activities else ""
    return f"**{campaign.id}**: {rate_text(campaign.multiplier)} times the points{of}{_limits(campaign, currency)}."


def _reviews(reviews: Reviews) -> str:
    more = [(reviews.photo, "photo"), (reviews.video, "video")]
    parts = [f"{_points(Fraction(reviews.points))} for a review"]
    parts += [f"{_points(Fraction(points))} with a {what}" for points, what in more if points is not None]
    if reviews.verified_only:
        parts.append("of verified purchases only")
    if reviews.minimum_length:
        parts.append(f"from {reviews.minimum_length:,} characters on")
    if reviews.once_per_product:
        parts.append("one for each product")
    return f"**review**: {', '.join(parts)}."


def _activity(activity: Activity) -> str:
    unit = " for each unit" if activity.per_unit else ""
    limits = [*_circumstances(activity.when), *_span(activity.from_, activity.until)]
    if activity.limit is not None:
        limits.append(_limit(activity.limit))
    if activity.attributes:
        limits.append(f"keeping {listed(activity.attributes)}")
    given = _points(Fraction(activity.points)) if activity.points is not None else "counted"
    return f"**{activity.id}**: {given}{unit}{''.join(f', {limit}' for limit in limits)}."


def _referrals(referrals: Referrals, currency: str) -> str:
    sides = ((referrals.referrer, "for the referrer"), (referrals.referee, "for the new member"))
    parts = [f"{_points(Fraction(points))} {whom}" for points, whom in sides if points is not None]
    order = f" of at least {decimal(referrals.minimum)} {currency}" if referrals.minimum else ""
    parts.append(f"on the new member's first order{order}")
    if referrals.limit is not None:
        parts.append(f"{_limit(referrals.limit)} for each referrer")
    if referrals.blocks:
        parts.append(f"blocked by {listed([signal.replace('_', ' ') for signal in referrals.blocks])}")
    return f"**referral**: {', '.join(parts)}."


def _enrolment(enrolment: Enrolment) -> str:
    bonus = f"{_points(Fraction(enrolment.bonus))}, once" if enrolment.bonus else "no points"
    return f"**enrolment**: {bonus}{'; points of guests wait for it' if enrolment.required else ''}."


def _card(card: Card) -> str:
    each = f"{card.every:,} of {card.activity}" if card.orders is None else f"{card.every:,} units of orders"
    lines = (
        "" if card.orders is None else "".join(f", {limit}" for limit in _lines(card.orders.only, card.orders.except_))
    )
    given = card.reward or _points(Fraction(card.points or 0))
    return f"**{card.id}**: {given} for every {each}{lines}."


def _lines(only: Lines, exclusion: Lines) -> Iterator[str]:
    for words, lines in (("on", only), ("not on", exclusion)):
        if lines.categories:
            yield f"{words} {listed(lines.categories)}"
        if lines.skus:
            yield f"{words} SKU {listed(lines.skus)}"


def _limit(limit: Limit) -> str:
    often = {1: "once", 2: "twice"}.get(limit.times, f"{limit.times:,} times")
    return f"{often} in a lifetime" if limit.per == "lifetime" else f"{often} a {limit.per}"


def _points(number: Fraction) -> str:
    return f"{rate_text(number)} point" if number == 1 else f"{rate_text(number)} points"


def _limits(entry: Entry, currency: str) -> str:
    """Everything that narrows a rule or campaign, each after a comma."""
    limits = [*_lines(entry.only, entry.except_)]
    if entry.minimum:
        limits.append(f"for orders of at least {decimal(entry.minimum)} {currency}")
    limits += _when(entry.when)
    limits += _span(entry.from_, entry.until)
    return "".join(f", {limit}" for limit in limits)


def _span(starts_at: datetime | None, ends_at: datetime | None) -> Iterator[str]:
    if starts_at is not None:
        yield f"from {starts_at.isoformat()}"
    if ends_at is not None:
        yield f"until {ends_at.isoformat()}"


def _when(when: When) -> Iterator[str]:
    yield from _circumstances(when)
    if when.channels:
        yield f"in the channel {listed(when.channels)}"
    if when.stores:
        yield f"in store {listed(when.stores)}"
    if when.first_order is not None:
        yield "for a member's first order" if when.first_order else "for all but a member's first order"


def _circumstances(when: Circumstances) -> Iterator[str]:
    if when.tiers:
        yield f"for {listed(when.tiers)} members"
    if when.segments:
        yield f"for members in {listed(when.segments)}"
    if when.weekdays:
        yield f"on {listed([day.capitalize() for day in when.weekdays])}"
    if when.hours:
        yield f"at {listed(when.hours)}"
    if when.expression is not None:
        yield f"where `{when.expression}`"


def _tiers(tiers: Tiers, currency: str) -> Iterator[tuple[str, str]]:
    over = _WINDOWS[tiers.window].format(months=tiers.months)
    for level in tiers.levels:
        start = (
            f"from {_needed(tiers, level.threshold, currency)}{over}" if level.threshold else "where everybody starts"
        )
        multiplier = f", {rate_text(level.multiplier)} times the points" if level.multiplier != 1 else ""
        bonus = f", {level.entry_bonus:,} points for entering it, once" if level.entry_bonus else ""
        multiplier += "".join(f", {rate_text(rate)} times for {kind}" for kind, rate in level.activities.items())
        benefits = f", {listed(level.benefits)}" if level.benefits else ""
        yield level.id, f"**{level.id}**: {start}{multiplier}{bonus}{benefits}."
    if tiers.window == "lifetime":
        return
    grace = f", {_days(tiers.grace_days)} after its end" if tiers.grace_days else ""
    falls = "to the level qualified for" if tiers.fall == "qualified" else "by one level"
    held = "while the time that earned it is looked back on" if tiers.window == "rolling" else _HELD[tiers.window]
    yield "end", f"A tier lasts {held}{grace}; then a member falls {falls}."
    yield "open_refund", _OPEN_REFUND[tiers.open_refund]


def _needed(tiers: Tiers, threshold: int, currency: str) -> str:
    amount = decimal(threshold)
    return f"{amount} {currency} spent" if tiers.measure == "spend" else f"{amount} {_COUNTED[tiers.measure]}"


def _pending(pending: Pending | None) -> str:
    if pending is None:
        return "Points can be spent as soon as they are earned."
    if pending.after == "fulfilled" and not pending.days:
        return "Points can be spent once their order is fulfilled."
    return f"Points can be spent once {_whole(pending.days)} followed the day of {_BEGINS[pending.after]}."


def _expiry(expiry: Expiry) -> str:
    if expiry.mode == "never":
        return "Points never end."
    months = "1 month" if expiry.months == 1 else f"{expiry.months} months"
    if expiry.mode == "inactivity":
        return f"All points end when a member has neither earned nor redeemed anything for {months}."
    return f"Points end {months} after they can be spent, with the end of that day."


def _reward(reward: Reward) -> str:
    held = f", for {listed(reward.tiers)} members" if reward.tiers else ""
    return f"**{reward.id}**: {_points(Fraction(reward.points))}{held}."


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _whole(days: int) -> str:
    return "1 whole day has" if days == 1 else f"{days} whole days have"


def _settings(basis: Basis, orders: Orders) -> Iterator[tuple[str, str]]:
    price = "after discounts" if basis.after_discounts else "before discounts"
    parts = [words for part, words in _PARTS.items() if getattr(basis, part)]
    without = [words for part, words in _PARTS.items() if not getattr(basis, part)]
    counted = f", with {listed(parts)}" if parts else ""
    left_out = f", without {listed(without)}" if without else ""
    yield "basis", f"Lines count {price}{counted}{left_out}."
    yield "award", f"Points come once an order is {orders.award}, {_ROUNDING[orders.rounding]} once per order and rule."
    yield "stacking", _STACKING[orders.stacking]
    yield "multipliers", _MULTIPLIERS[orders.multipliers]
    yield "deficit", _DEFICIT[orders.deficit]
    if not basis.store_credit_refunds:
        yield "store_credit_refunds", "Refunds to store credit take no points back."
    limits = _caps(orders.caps)
    if limits:
        yield "caps", f"Orders give at most {listed(limits)}."


def _caps(caps: Caps) -> list[str]:
    spans = {"order": "for one order", "day": "a day", "week": "a week", "month": "a month"}
    given = [(getattr(caps, span), words) for span, words in spans.items()]
    return [f"{_points(Fraction(most))} {words}" for most, words in given if most is not None]
