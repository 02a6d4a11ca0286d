"""The award: what lines are worth under the rules that apply, rounded once a rule, and split back over the lines.

Rules 2 to 4 and 44 to 46.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm, prod
from typing import NamedTuple

import msgspec

from services.earning.decide.core.numbers import number_text, rounded, split
from services.earning.decide.value.basis import Amount, Lines
from services.earning.decide.value.plans import BASE_TIER, Applying, CampaignPlan, Plan, RulePlan, TierPlan
from services.earning.decide.value.refunds import Share
from services.earning.state.keys import SoldLine
from shared.money import MICROS, decimal
from shared.point_events import RuleShare


class Exchange(NamedTuple):
    """Program currency for one of the order's, as numerator over denominator."""

    numerator: int
    denominator: int


SAME_CURRENCY = Exchange(1, 1)


class Part(msgspec.Struct, frozen=True):
    """What one rule gives, rounded, and the weights of the lines (by place) among which it is split."""

    share: RuleShare
    rule: RulePlan
    chosen: Sequence[int]
    weights: Sequence[Amount]
    total: Amount


class Award(msgspec.Struct, frozen=True):
    """What lines are worth, rule by rule; not yet split over lines."""

    points: int
    parts: list[Part]


class Split(msgspec.Struct, frozen=True):
    """An award by rule with its reckoning, and by line_id. Both add up to `points`."""

    points: int
    rules: list[RuleShare]
    lines: dict[str, int]


class Deal(msgspec.Struct, frozen=True):
    """What an order's points are reckoned with: the version, the tier held before, its lines' masks, the exchange."""

    plan: Plan
    tier: TierPlan
    lines: Lines
    masks: list[int]
    exchange: Exchange


def deal_of(plan: Plan, tier: str, lines: Lines, exchange: Exchange) -> Deal:
    """The deal for an order's lines, the same for all its versions of what is left."""
    masks = plan.masks(lines.sold)
    for i in lines.hidden:
        masks[i] = 0
    return Deal(plan, plan.tiers.get(tier, BASE_TIER), lines, masks, exchange)


def bases_left(lines: Lines, left: list[Share]) -> list[Amount]:
    """The basis of what is left of each line; whole numbers wherever they can be, so that arithmetic stays fast."""
    return [_whole(basis * share) for basis, share in zip(lines.bases, left, strict=True)]


def firing(deal: Deal, among: Applying, total: Amount) -> Applying:
    """Those whose minimum the whole order's basis reaches, in the program's currency."""
    if not deal.plan.minimums:
        return among
    return deal.plan.reached(among, total * deal.exchange.numerator // deal.exchange.denominator)


def award_of(deal: Deal, fired: Applying, bases: Sequence[Amount], left: list[Share] | None) -> Award:
    """What lines with these bases are worth under the rules and campaigns that fire.

    Where several rules by rate don't add up, each line goes to the first of them that selects it.
    """
    reckoning = _Reckoning(deal, fired, bases)
    adding_up = deal.plan.program.stacking == "sum"
    free = deal.masks if adding_up else [*deal.masks]
    every = range(len(free))
    for rule in fired.rated:
        if rule.everything and adding_up and not deal.lines.hidden:
            reckoning.rate(rule, every)
            continue
        chosen = [i for i, mask in enumerate(free) if mask & rule.bit]
        if chosen:
            reckoning.rate(rule, chosen)
        if not adding_up:
            for i in chosen:
                free[i] = 0
    for rule in fired.fixed:
        chosen = [i for i, mask in enumerate(deal.masks) if mask & rule.bit and (left is None or left[i])]
        if chosen:
            reckoning.fix(rule, chosen)
    parts = reckoning.parts
    return Award(sum([part.share.points for part in parts]), parts)


def split_of(award: Award, sold: tuple[SoldLine, ...], room: int | None = None) -> Split:
    """An award split over its lines, each rule's points by their raw points; what exceeds `room` is cut off before.

    The last rule of the document is cut first.
    """
    points = award.points
    if room is not None and points > room:
        _cut(award.parts, points - room)
        points = room
    given = [0] * len(sold)
    for part in award.parts:
        if part.share.points:
            for i, some in zip(part.chosen, split(part.share.points, part.weights, part.total), strict=True):
                given[i] += some
    by_line = {line.line_id: some for line, some in zip(sold, given, strict=False) if some}
    return Split(points, [part.share for part in award.parts], by_line)


def _cut(parts: list[Part], excess: int) -> None:
    for part in sorted(parts, key=lambda part: -part.rule.place):
        cut = min(excess, part.share.points)
        part.share.points -= cut
        excess -= cut


class _Reckoning:
    """An award in the making.

    Without campaigns the tier multiplies all lines alike; with them, each line's basis is weighted by its own
    multiplier, times `scale` so that weights stay whole.
    """

    __slots__ = ("bases", "deal", "denominator", "multipliers", "numerator", "parts", "scale", "weights")

    def __init__(self, deal: Deal, fired: Applying, bases: Sequence[Amount]) -> None:
        self.deal = deal
        self.bases = bases
        self.parts: list[Part] = []
        self.multipliers: list[Fraction] | None = None
        self.weights = bases
        self.scale = 1
        self.numerator, self.denominator = deal.exchange
        if not fired.campaigns:
            self.numerator *= deal.tier.numerator
            self.denominator *= deal.tier.denominator
        else:
            multipliers = self.multipliers = _multipliers(deal, fired.campaigns)
            self.scale = lcm(*[multiplier.denominator for multiplier in multipliers])
            factors = [multiplier.numerator * (self.scale // multiplier.denominator) for multiplier in multipliers]
            self.weights = [basis * factor for basis, factor in zip(bases, factors, strict=True)]
            self.denominator *= self.scale

    def rate(self, rule: RulePlan, chosen: Sequence[int]) -> None:
        """Add a rule's points for the lines it got: one rounding for their sum."""
        deal = self.deal
        weights = self.weights if len(chosen) == len(self.weights) else [self.weights[i] for i in chosen]
        total = sum(weights)
        if not total:
            return
        raw = total * rule.numerator * self.numerator
        denominator = rule.denominator * self.denominator * raw.denominator
        basis, text = total, deal.tier.text
        if self.multipliers is not None:
            basis = sum([self.bases[i] for i in chosen])
            text = self._multiplier_text(basis, total)
        points, raw_text = rounded(deal.plan.program.rounding, raw.numerator, denominator)
        share = RuleShare(rule.id, points, money_text(basis, deal.exchange), rule.rate, text, raw_text)
        self.parts.append(Part(share, rule, chosen, weights, total))

    def fix(self, rule: RulePlan, chosen: list[int]) -> None:
        """Add a rule's fixed points for the lines it selects; no multiplier touches them."""
        weights = [self.bases[i] for i in chosen]
        total = sum(weights)
        if not total:
            chosen, weights, total = chosen[:1], [1], 1
        self.parts.append(Part(RuleShare(rule.id, rule.points), rule, chosen, weights, total))

    def _multiplier_text(self, basis: Amount, total: Amount) -> str:
        """The multiplier of lines; their mean by basis where lines differ."""
        mean = Fraction(total) / (Fraction(basis) * self.scale)
        return number_text(mean.numerator, mean.denominator)


def _multipliers(deal: Deal, campaigns: tuple[CampaignPlan, ...]) -> list[Fraction]:
    """The multiplier of each line: the tier's own and those of the campaigns that select it."""
    several = [[deal.tier.multiplier, *[c.multiplier for c in campaigns if mask & c.bit]] for mask in deal.masks]
    if deal.plan.program.multipliers == "highest":
        return [max(multipliers) for multipliers in several]
    return [prod(multipliers, start=Fraction(1)) for multipliers in several]


def money_text(amount: Amount, exchange: Exchange) -> str:
    """An amount of the order's currency as exact text in the program's."""
    if exchange is SAME_CURRENCY and isinstance(amount, int):
        return decimal(amount)
    return number_text(amount.numerator * exchange.numerator, amount.denominator * exchange.denominator * MICROS)


def _whole(amount: Amount) -> Amount:
    return amount.numerator if amount.denominator == 1 else amount
