"""The award: what lines are worth under the rules that apply, rounded once a rule, and split back over the lines."""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import NamedTuple

from services.earning.decide.basis import SHIPPING, Amount, Line
from services.earning.decide.conditions import Applying
from services.earning.decide.plans import CampaignPlan, Plan, RulePlan, combined, number_text, selects
from services.earning.decide.refunds import Share
from shared.money import MICROS, decimal
from shared.point_events import RuleShare

_ONE = Fraction(1)


class Exchange(NamedTuple):
    """Program currency for one of the order's, as numerator over denominator."""

    numerator: int
    denominator: int


SAME_CURRENCY = Exchange(1, 1)


class Award(NamedTuple):
    """What lines are worth: by rule with its reckoning, and by line_id. Both add up to `points`."""

    points: int
    rules: list[RuleShare]
    lines: dict[str, int]


class Firing(NamedTuple):
    """The rules and campaigns whose minimums are reached too."""

    rated: tuple[RulePlan, ...]
    fixed: tuple[RulePlan, ...]
    campaigns: tuple[CampaignPlan, ...]


def total_of(lines: list[Line], left: list[Share] | None) -> Amount:
    """The basis of the whole order, or of what is left of it: micros of the order's currency."""
    if left is None:
        return sum(line.basis for line in lines)
    return sum(line.basis * share for line, share in zip(lines, left, strict=True))


def firing(among: Applying | Firing, total: Amount, exchange: Exchange) -> Firing:
    """Those among them whose minimum the whole order's basis reaches, in the program's currency."""
    reached = total * exchange.numerator

    def reaches(plan: RulePlan | CampaignPlan) -> bool:
        return not plan.minimum or reached >= plan.minimum * exchange.denominator

    return Firing(
        tuple(filter(reaches, among.rated)),
        tuple(filter(reaches, among.fixed)),
        tuple(filter(reaches, among.campaigns)),
    )


def award_of(
    plan: Plan, fired: Firing, tier: str, lines: list[Line], left: list[Share] | None, exchange: Exchange
) -> Award:
    """What the lines, or what is left of them, are worth under the rules and campaigns that fire."""
    reckoning = _Reckoning(plan, fired, tier, lines, left, exchange)
    if plan.program.stacking == "sum":
        for rule in fired.rated:
            reckoning.rate(rule, _chosen(rule, lines))
    else:
        free = set(range(len(lines)))
        for rule in fired.rated:
            chosen = [i for i in _chosen(rule, lines) if i in free]
            free.difference_update(chosen)
            reckoning.rate(rule, chosen)
    for rule in fired.fixed:
        reckoning.add_fixed(rule, [i for i in _chosen(rule, lines) if left is None or left[i]])
    return Award(sum(rule.points for rule in reckoning.rules), reckoning.rules, reckoning.by_line)


class _Reckoning:
    """An award in the making. `weights` are bases × multipliers, times `scale` so that they stay whole."""

    __slots__ = ("bases", "by_line", "exchange", "lines", "multipliers", "rounding", "rules", "scale", "weights")

    def __init__(
        self, plan: Plan, fired: Firing, tier: str, lines: list[Line], left: list[Share] | None, exchange: Exchange
    ) -> None:
        self.lines = lines
        self.exchange = exchange
        self.rounding = plan.program.rounding
        self.rules: list[RuleShare] = []
        self.by_line: dict[str, int] = {}
        self.bases = [line.basis for line in lines]
        if left is not None:
            self.bases = [_whole(basis * share) for basis, share in zip(self.bases, left, strict=True)]
        own = plan.tiers.get(tier, _ONE)
        if not fired.campaigns:
            self.multipliers = [own] * len(lines)
            self.scale = own.denominator
            factor = own.numerator
            self.weights = self.bases if factor == 1 else [basis * factor for basis in self.bases]
        else:
            self.multipliers = _multipliers(plan, fired.campaigns, own, lines)
            self.scale = lcm(*(multiplier.denominator for multiplier in self.multipliers))
            self.weights = [
                basis * (multiplier.numerator * (self.scale // multiplier.denominator))
                for basis, multiplier in zip(self.bases, self.multipliers, strict=True)
            ]

    def rate(self, rule: RulePlan, chosen: list[int]) -> None:
        """Add a rule's points for the lines it got: one rounding for their sum."""
        weights = [self.weights[i] for i in chosen]
        total = sum(weights)
        if not total:
            return
        raw = total * rule.numerator * self.exchange.numerator
        denominator = raw.denominator * rule.denominator * self.scale * self.exchange.denominator
        points = rounded(self.rounding, raw.numerator, denominator)
        self._split(points, chosen, weights, total)
        basis = sum([self.bases[i] for i in chosen])
        self.rules.append(
            RuleShare(
                rule.id,
                points,
                money_text(basis, self.exchange),
                rule.rate,
                self._multiplier_text(chosen, basis, total),
                number_text(raw.numerator, denominator),
            )
        )

    def add_fixed(self, rule: RulePlan, chosen: list[int]) -> None:
        """Add a rule's fixed points, where anything of its lines is there: no multiplier touches them."""
        if not chosen:
            return
        points = rule.rule.points or 0
        weights = [self.bases[i] for i in chosen]
        total = sum(weights)
        if not total:
            weights, total = [1] * len(chosen), len(chosen)
        self._split(points, chosen, weights, total)
        self.rules.append(RuleShare(rule.id, points))

    def _split(self, points: int, chosen: list[int], weights: list[Amount], total: Amount) -> None:
        """Share points over lines by weight, the largest remainders first, ties to the smaller line_id."""
        by_line = self.by_line
        if not points:
            return
        if len(chosen) == 1:
            line_id = self.lines[chosen[0]].line_id
            by_line[line_id] = by_line.get(line_id, 0) + points
            return
        parts = [points * weight for weight in weights]
        shares = [int(part // total) for part in parts]
        missing = points - sum(shares)
        if missing:
            rests = [part % total for part in parts]
            for i in sorted(range(len(rests)), key=rests.__getitem__, reverse=True)[:missing]:
                shares[i] += 1
        for i, share in zip(chosen, shares, strict=True):
            if share:
                line_id = self.lines[i].line_id
                by_line[line_id] = by_line.get(line_id, 0) + share

    def _multiplier_text(self, chosen: list[int], basis: Amount, total: Amount) -> str:
        """The multiplier of the lines chosen; their average by basis where lines differ."""
        multipliers = self.multipliers
        first = multipliers[chosen[0]]
        if all(multipliers[i] == first for i in chosen):
            return number_text(first.numerator, first.denominator)
        mean = Fraction(total, 1) / (Fraction(basis) * self.scale)
        return number_text(mean.numerator, mean.denominator)


def rounded(mode: str, numerator: int, denominator: int) -> int:
    """A number that is not negative, rounded to whole points by the program's mode."""
    whole, rest = divmod(numerator, denominator)
    if mode == "floor" or not rest:
        return whole
    if mode == "ceiling":
        return whole + 1
    twice = 2 * rest
    if mode == "half_up":
        return whole + (twice >= denominator)
    return whole + (twice > denominator or (twice == denominator and whole % 2 == 1))


def money_text(amount: Amount, exchange: Exchange) -> str:
    """An amount of the order's currency as exact text in the program's."""
    if exchange is SAME_CURRENCY and isinstance(amount, int):
        return decimal(amount)
    return number_text(
        amount.numerator * exchange.numerator, amount.denominator * exchange.denominator * MICROS
    )


def _whole(amount: Amount) -> Amount:
    """An amount as an int where it is whole, so that arithmetic stays fast."""
    return amount.numerator if amount.denominator == 1 else amount


def _multipliers(plan: Plan, campaigns: tuple[CampaignPlan, ...], own: Fraction, lines: list[Line]) -> list[Fraction]:
    """The multiplier of each line: the tier's own and those of the campaigns that select it."""
    return [
        combined(plan.program.multipliers, [own, *(c.multiplier for c in campaigns if _touches(c, line))])
        for line in lines
    ]


def _touches(campaign: CampaignPlan, line: Line) -> bool:
    if campaign.everything:
        return True
    return line.line_id != SHIPPING and selects(campaign.campaign.selection, line.categories, line.sku)


def _chosen(rule: RulePlan, lines: list[Line]) -> list[int]:
    """Places of the lines a rule selects. Shipping is seen only by rules that select no lines."""
    if rule.everything:
        return [i for i, line in enumerate(lines) if line.eligible]
    selection = rule.rule.selection
    return [
        i
        for i, line in enumerate(lines)
        if line.eligible and line.line_id != SHIPPING and selects(selection, line.categories, line.sku)
    ]
