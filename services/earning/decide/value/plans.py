"""Plans: a program version made ready for whole-number arithmetic; a plan adds nothing to its program.

Rules 3, 41 and 44.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from operator import attrgetter
from typing import NamedTuple

from services.earning.decide.core.numbers import number_text
from services.earning.program.terms import Campaign, Conditions, Program, Rule, Selection
from services.earning.state.keys import SoldLine
from shared.money import MICROS

_PLANS_MAX = 1_024
_MASKS_MAX = 16_384
_ANYBODY = Conditions()


class RulePlan(NamedTuple):
    """A rule: its rate as points per micro in whole numbers, its texts ready.

    `bit` is its own in masks, `place` where it stands in the document; `everything`: it selects no lines.
    """

    id: str
    numerator: int
    denominator: int
    rate: str
    points: int
    minimum: int
    bit: int
    conditions: Conditions | None
    place: int
    everything: bool


class CampaignPlan(NamedTuple):
    """A campaign, likewise."""

    multiplier: Fraction
    minimum: int
    bit: int
    conditions: Conditions | None


class Applying(NamedTuple):
    """Rules and campaigns of a version: all of them, or those that apply to an order."""

    rated: tuple[RulePlan, ...]
    fixed: tuple[RulePlan, ...]
    campaigns: tuple[CampaignPlan, ...]


class TierPlan(NamedTuple):
    """A tier's multiplier as whole numbers, its text ready."""

    multiplier: Fraction
    numerator: int
    denominator: int
    text: str


BASE_TIER = TierPlan(Fraction(1), 1, 1, "1")


class Plan:
    """A version: every rule (by rate, in the order in which one of them gets a line; and fixed), campaign and tier.

    `conditional` says whether any of them has a condition, `minimums` are the amounts that any of them asks for.
    `asking`: some condition is an expression.
    """

    __slots__ = (
        "_look",
        "_masks",
        "_reached",
        "_selections",
        "_shipping",
        "asking",
        "conditional",
        "every",
        "minimums",
        "program",
        "tiers",
    )

    def __init__(self, program: Program) -> None:
        self.program = program
        self._selections: list[Selection] = []
        self._masks: dict[object, int] = {}
        self.every = Applying(
            tuple(map(self._rule, _rated(program))),
            tuple(self._rule(rule) for rule in program.rules if rule.points is not None),
            tuple(self._campaign(campaign) for campaign in program.campaigns if not campaign.activities),
        )
        parts: list[RulePlan | CampaignPlan] = [*self.every.rated, *self.every.fixed, *self.every.campaigns]
        self.conditional = any(part.conditions is not None for part in parts)
        self.minimums = sorted({part.minimum for part in parts if part.minimum})
        self._reached = [_reached(self.every, reached) for reached in (0, *self.minimums)]
        by_sku = any(selection.skus or selection.except_skus for selection in self._selections)
        self._look = attrgetter("categories", "sku") if by_sku else attrgetter("categories")
        self._shipping = sum(selection.everything << place for place, selection in enumerate(self._selections))
        self.tiers = _tiers(program)
        self.asking = _is_asking(program)

    def _rule(self, rule: Rule) -> RulePlan:
        rate = rule.rate if rule.rate is not None else Fraction(0)
        return RulePlan(
            rule.id,
            rate.numerator,
            rate.denominator * MICROS,
            number_text(rate.numerator, rate.denominator),
            rule.points or 0,
            rule.minimum_micros,
            self._bit(rule.selection),
            _asked(rule.conditions),
            self.program.rules.index(rule),
            rule.selection.everything,
        )

    def _campaign(self, campaign: Campaign) -> CampaignPlan:
        bit = self._bit(campaign.selection)
        return CampaignPlan(campaign.multiplier, campaign.minimum_micros, bit, _asked(campaign.conditions))

    def _bit(self, selection: Selection) -> int:
        self._selections.append(selection)
        return 1 << (len(self._selections) - 1)

    def reached(self, among: Applying, total: int) -> Applying:
        """Those whose minimum an order's basis (micros of program currency) reaches."""
        if among is self.every:
            return self._reached[bisect_right(self.minimums, total)]
        return _reached(among, total)

    def masks(self, lines: tuple[SoldLine, ...]) -> list[int]:
        """For each line the bits of the rules and campaigns that select it; shipping, the last, has no line_id."""
        known, look = self._masks, self._look
        if lines and not lines[-1].line_id:
            return [*self.masks(lines[:-1]), self._shipping]
        try:
            return [known[look(line)] for line in lines]
        except KeyError:
            return [self._remember(look(line), line) for line in lines]

    def _remember(self, look: object, line: SoldLine) -> int:
        if len(self._masks) >= _MASKS_MAX:
            self._masks.clear()
        mask = sum(selects(selection, line) << place for place, selection in enumerate(self._selections))
        self._masks[look] = mask
        return mask


def _rated(program: Program) -> list[Rule]:
    """Rules by rate; where only one of them gets a line, in the order in which they are asked (rule 3)."""
    rated = [rule for rule in program.rules if rule.rate is not None]
    if program.stacking == "first":
        rated.sort(key=lambda rule: -rule.priority)
    if program.stacking == "best":
        rated.sort(key=lambda rule: (-(rule.rate or Fraction(0)), -rule.priority))
    return rated


def _tiers(program: Program) -> dict[str, TierPlan]:
    """What each tier multiplies with."""
    levels = program.tiers.levels if program.tiers else ()
    return {level.id: _tier(level.multiplier) for level in levels}


def _tier(multiplier: Fraction) -> TierPlan:
    numerator, denominator = multiplier.as_integer_ratio()
    return TierPlan(multiplier, numerator, denominator, number_text(numerator, denominator))


def _is_asking(program: Program) -> bool:
    """Whether any condition is an expression."""
    return any(
        entry.conditions.expression is not None
        for entries in (program.rules, program.campaigns, program.activities)
        for entry in entries
    )


def _asked(conditions: Conditions) -> Conditions | None:
    """Conditions, or None where they ask for nothing."""
    return None if conditions == _ANYBODY else conditions


def _reached(among: Applying, total: int) -> Applying:
    """Those whose minimum a total reaches."""
    return Applying(
        tuple([rule for rule in among.rated if rule.minimum <= total]),
        tuple([rule for rule in among.fixed if rule.minimum <= total]),
        tuple([campaign for campaign in among.campaigns if campaign.minimum <= total]),
    )


def selects(selection: Selection, line: SoldLine) -> bool:
    """Whether a selection has a line. Shipping is seen only where no lines are selected: by those of everything."""
    if selection.everything:
        return True
    if line.sku in selection.except_skus or not selection.except_categories.isdisjoint(line.categories):
        return False
    if not (selection.categories or selection.skus):
        return True
    return line.sku in selection.skus or not selection.categories.isdisjoint(line.categories)


_plans: dict[int, Plan] = {}


def plan_of(program: Program) -> Plan:
    """The plan of a version, made once."""
    plan = _plans.get(id(program))
    if plan is None or plan.program is not program:
        if len(_plans) >= _PLANS_MAX:
            _plans.clear()
        plan = _plans[id(program)] = Plan(program)
    return plan
