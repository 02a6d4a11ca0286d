"""A program in plain words, as Markdown: what a merchant would tell a customer, and what support looks up."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from services.earning.program.document import Basis, Campaign, Document, Entry, Orders, Rule, Tiers, When
from services.earning.program.values import rate_text
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
_PARTS = {
    "tax": "tax",
    "shipping": "shipping",
    "gift_cards": "gift cards",
    "points_payment": "what is paid with points",
}


def describe(document: Document) -> str:
    """The document as Markdown: sections of short sentences, nothing left out that moves points."""
    sections = [
        ("", _head(document)),
        ("Orders earn", _rules(document)),
        ("Campaigns", [_campaign(campaign, document.currency) for campaign in document.campaigns]),
        ("Tiers", [] if document.tiers is None else list(_tiers(document.tiers, document.currency))),
        ("How it is worked out", list(_settings(document.basis, document.orders))),
    ]
    return "\n".join(_section(title, lines) for title, lines in sections if lines)


def _section(title: str, lines: list[str]) -> str:
    heading = f"## {title}\n\n" if title else ""
    return heading + "".join(f"- {line}\n" for line in lines)


def _head(document: Document) -> list[str]:
    return [
        f"In force from {document.effective_from.isoformat()} at the earliest.",
        f"Amounts are in {document.currency}; days and years are those of {document.time_zone}.",
    ]


def _rules(document: Document) -> list[str]:
    return [_rule(rule, document.currency) for rule in document.rules] or ["Nothing: the program has no rules."]


def _rule(rule: Rule, currency: str) -> str:
    if rule.rate is not None:
        given = f"{_points(rule.rate)} for each 1 {currency}"
    else:
        given = f"{_points(Fraction(rule.points or 0))} for the order"
    priority = f", priority {rule.priority}" if rule.priority else ""
    return f"**{rule.id}**: {given}{_limits(rule, currency)}{priority}."


def _campaign(campaign: Campaign, currency: str) -> str:
    return f"**{campaign.id}**: {rate_text(campaign.multiplier)} times the points{_limits(campaign, currency)}."


def _points(number: Fraction) -> str:
    return f"{rate_text(number)} point" if number == 1 else f"{rate_text(number)} points"


def _limits(entry: Entry, currency: str) -> str:
    """Everything that narrows a rule or campaign, each after a comma."""
    limits: list[str] = []
    for words, lines in (("on", entry.only), ("not on", entry.except_)):
        if lines.categories:
            limits.append(f"{words} {_listed(lines.categories)}")
        if lines.skus:
            limits.append(f"{words} SKU {_listed(lines.skus)}")
    if entry.minimum:
        limits.append(f"for orders of at least {decimal(entry.minimum)} {currency}")
    limits += _when(entry.when)
    if entry.from_ is not None:
        limits.append(f"from {entry.from_.isoformat()}")
    if entry.until is not None:
        limits.append(f"until {entry.until.isoformat()}")
    return "".join(f", {limit}" for limit in limits)


def _when(when: When) -> Iterator[str]:
    if when.tiers:
        yield f"for {_listed(when.tiers)} members"
    if when.segments:
        yield f"for members in {_listed(when.segments)}"
    if when.channels:
        yield f"in the channel {_listed(when.channels)}"
    if when.stores:
        yield f"in store {_listed(when.stores)}"
    if when.weekdays:
        yield f"on {_listed([day.capitalize() for day in when.weekdays])}"
    if when.hours:
        yield f"at {_listed(when.hours)}"
    if when.first_order is not None:
        yield "for a member's first order" if when.first_order else "for all but a member's first order"


def _tiers(tiers: Tiers, currency: str) -> Iterator[str]:
    unit = f" {currency} spent" if tiers.measure == "spend" else " points earned"
    over = " in a calendar year" if tiers.window == "calendar_year" else ""
    for level in tiers.levels:
        start = f"from {decimal(level.threshold)}{unit}{over}" if level.threshold else "where everybody starts"
        multiplier = f", {rate_text(level.multiplier)} times the points" if level.multiplier != 1 else ""
        benefits = f", {_listed(level.benefits)}" if level.benefits else ""
        yield f"**{level.id}**: {start}{multiplier}{benefits}."
    if tiers.window == "calendar_year":
        grace = f", {tiers.grace_days} days after its end" if tiers.grace_days else ""
        falls = "to the level qualified for" if tiers.fall == "qualified" else "by one level"
        yield f"A tier lasts to the end of the year after the one that earned it{grace}; then a member falls {falls}."


def _settings(basis: Basis, orders: Orders) -> Iterator[str]:
    price = "after discounts" if basis.after_discounts else "before discounts"
    parts = [words for part, words in _PARTS.items() if getattr(basis, part)]
    without = [words for part, words in _PARTS.items() if not getattr(basis, part)]
    counted = f", with {_listed(parts)}" if parts else ""
    left_out = f", without {_listed(without)}" if without else ""
    yield f"Lines count {price}{counted}{left_out}."
    yield f"Points come once an order is {orders.award}, {_ROUNDING[orders.rounding]} once per order and rule."
    yield _STACKING[orders.stacking]
    yield _MULTIPLIERS[orders.multipliers]
    yield _DEFICIT[orders.deficit]
    if not basis.store_credit_refunds:
        yield "Refunds to store credit take no points back."


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
