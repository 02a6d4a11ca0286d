"""What an order is worth: rules, campaigns and tier over its basis (rules 2-5, 9, 44-46)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from math import ceil, floor

from services.earning.program.terms import Campaign, Conditions, Program, Rule, Selection
from tests.support.model.priced import ZERO, Priced
from tests.support.model.shares import spread


@dataclass(frozen=True)
class Who:
    """Who and when, pinned for an order's life, or that of something else, which is neither a first order nor not."""

    when: datetime
    tier: str
    segments: tuple[str, ...]
    first_order: bool | None
    channel: str | None
    store: str | None


@dataclass
class RuleAward:
    """What one rule gives, and the lines it gives it for, with their weights."""

    rule: str
    points: int
    lines: list[Priced]
    weights: list[Fraction]

    def split(self) -> dict[str, int]:
        """The rule's points over its lines (rules 4, 45)."""
        parts = spread(self.points, self.weights, [line.place for line in self.lines]) if self.points else []
        return {line.line_id: part for line, part in zip(self.lines, parts, strict=bool(parts))}


@dataclass
class Award:
    """Points by rule, in the order of the document; by line they follow from it (shipping under no name)."""

    shares: list[RuleAward] = field(default_factory=list)

    @property
    def points(self) -> int:
        return sum(share.points for share in self.shares)

    @property
    def rules(self) -> dict[str, int]:
        return {share.rule: share.points for share in self.shares}

    @property
    def lines(self) -> dict[str, int]:
        lines: dict[str, int] = {}
        for share in self.shares:
            for line_id, points in share.split().items():
                lines[line_id] = lines.get(line_id, 0) + points
        return lines

    def truncated(self, most: int) -> Award:
        """At most so many points; what is too much is taken from the last rule first (rule 46)."""
        excess, shares = max(0, self.points - most), list(self.shares)
        for i in reversed(range(len(shares))):
            part = min(excess, shares[i].points)
            shares[i] = replace(shares[i], points=shares[i].points - part)
            excess -= part
        return Award(shares)


def rounded(exact: Fraction, mode: str) -> int:
    """A number of points that is whole."""
    match mode:
        case "floor":
            return floor(exact)
        case "ceiling":
            return ceil(exact)
        case "half_up":
            return floor(exact + Fraction(1, 2))
        case _:
            return round(exact)


def holds(conditions: Conditions, who: Who, program: Program) -> bool:
    """Whether every condition that is set holds."""
    local = who.when.astimezone(program.zone)
    answers = [
        not conditions.tiers or who.tier in conditions.tiers,
        not conditions.segments or bool(conditions.segments & set(who.segments)),
        not conditions.channels or who.channel in conditions.channels,
        not conditions.stores or who.store in conditions.stores,
        not conditions.weekdays or local.isoweekday() in conditions.weekdays,
        not conditions.hours or local.hour in conditions.hours,
        conditions.first_order is None or conditions.first_order == who.first_order,
        conditions.starts_at is None or who.when >= conditions.starts_at,
        conditions.ends_at is None or who.when < conditions.ends_at,
    ]
    return all(answers)


def selects(selection: Selection, priced: Priced) -> bool:
    """Whether a line is meant; shipping only where no line is left out."""
    if priced.line is None:
        return selection.everything
    categories = set(priced.line.categories)
    if priced.line.sku in selection.except_skus or categories & selection.except_categories:
        return False
    if not selection.skus and not selection.categories:
        return True
    return priced.line.sku in selection.skus or bool(categories & selection.categories)


def tier_multiplier(program: Program, tier: str) -> Fraction:
    """What the tier held before the order multiplies by."""
    levels = program.tiers.levels if program.tiers else ()
    return next((level.multiplier for level in levels if level.id == tier), Fraction(1))


@dataclass(frozen=True)
class Firing:
    """What may take part: rules and campaigns, by what the whole order says."""

    rules: tuple[Rule, ...]
    campaigns: tuple[Campaign, ...]


def firing(program: Program, who: Who, total: Fraction, among: Firing | None = None) -> Firing:
    """Those whose conditions hold and whose minimum a basis (program currency) reaches."""
    rules = among.rules if among else program.rules
    campaigns = among.campaigns if among else tuple(one for one in program.campaigns if not one.activities)
    return Firing(
        tuple(r for r in rules if holds(r.conditions, who, program) and total * 1_000_000 >= r.minimum_micros),
        tuple(
            c
            for c in campaigns
            if not c.activities and holds(c.conditions, who, program) and total * 1_000_000 >= c.minimum_micros
        ),
    )


def _multiplier(program: Program, who: Who, line: Priced, campaigns: Sequence[Campaign]) -> Fraction:
    factors = [tier_multiplier(program, who.tier)]
    factors += [campaign.multiplier for campaign in campaigns if selects(campaign.selection, line)]
    if program.multipliers == "highest":
        return max(factors)
    product = Fraction(1)
    for factor in factors:
        product *= factor
    return product


def _takers(program: Program, rules: Sequence[Rule], line: Priced) -> list[Rule]:
    """The rules with a rate that count for a line, by the program's stacking."""
    ranked = sorted(enumerate(rules), key=lambda entry: (-entry[1].priority, entry[0]))
    fitting = [rule for _, rule in ranked if rule.rate is not None and selects(rule.selection, line)]
    match program.stacking:
        case "first":
            return fitting[:1]
        case "best":
            return [max(fitting, key=lambda rule: rule.rate or ZERO)] if fitting else []
        case _:
            return fitting


def _award_of(program: Program, who: Who, lines: Sequence[Priced], fire: Firing, rate: Fraction) -> Award:
    raw: dict[str, list[tuple[Priced, Fraction]]] = {rule.id: [] for rule in fire.rules}
    for line in lines:
        multiplier = _multiplier(program, who, line, fire.campaigns)
        for rule in _takers(program, fire.rules, line):
            assert rule.rate is not None
            raw[rule.id].append((line, line.left * rate * rule.rate * multiplier))
    shares = []
    for rule in fire.rules:
        if rule.rate is not None:
            weights = raw[rule.id]
            points = rounded(sum((weight for _, weight in weights), ZERO), program.rounding)
        else:
            chosen = [line for line in lines if selects(rule.selection, line) and line.gone < 1]
            weights = [(line, line.left) for line in chosen if line.line is not None or line.basis]
            points = rule.points or 0 if weights else 0
        shares.append(RuleAward(rule.id, points, [line for line, _ in weights], [weight for _, weight in weights]))
    return Award(shares)


def award(program: Program, who: Who, lines: Sequence[Priced], rate: Fraction) -> Award:
    """The lesser of what the whole order earns and what is left of it earns (rule 9)."""
    whole_lines = [Priced(line.line_id, line.line, line.price, line.cash, line.basis) for line in lines]
    whole_fire = firing(program, who, sum((line.basis for line in lines), ZERO) * rate)
    whole = _award_of(program, who, whole_lines, whole_fire, rate)
    left_fire = firing(program, who, sum((line.left for line in lines), ZERO) * rate, whole_fire)
    left = _award_of(program, who, lines, left_fire, rate)
    return whole if whole.points < left.points else left
