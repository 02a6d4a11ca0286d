"""Plans: a program version made ready for whole-number arithmetic; a plan adds nothing to its program."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import NamedTuple

from services.earning.program.terms import Campaign, Conditions, Program, Rule, Selection
from shared.money import MICROS

_CACHED_MAX = 1_024
_ANYBODY = Conditions()


class RulePlan(NamedTuple):
    """A rule: its rate as whole numbers, its texts ready; `everything`: it selects every line."""

    rule: Rule
    id: str
    numerator: int
    denominator: int
    rate: str
    everything: bool
    anybody: bool
    minimum: int


class CampaignPlan(NamedTuple):
    """A campaign, likewise."""

    campaign: Campaign
    multiplier: Fraction
    everything: bool
    anybody: bool
    minimum: int


class Plan(NamedTuple):
    """A version: rules by rate in the order in which one of them gets a line, fixed rules, campaigns, tiers."""

    program: Program
    rated: tuple[RulePlan, ...]
    fixed: tuple[RulePlan, ...]
    campaigns: tuple[CampaignPlan, ...]
    tiers: dict[str, Fraction]


_plans: dict[int, Plan] = {}


def plan_of(program: Program) -> Plan:
    """The plan of a version, made once."""
    plan = _plans.get(id(program))
    if plan is None or plan.program is not program:
        if len(_plans) >= _CACHED_MAX:
            _plans.clear()
        plan = _plans[id(program)] = _plan(program)
    return plan


def _plan(program: Program) -> Plan:
    rated = [_rule(rule) for rule in program.rules if rule.rate is not None]
    if program.stacking == "first":
        rated.sort(key=lambda plan: -plan.rule.priority)
    if program.stacking == "best":
        rated.sort(key=lambda plan: Fraction(-plan.numerator, plan.denominator))
    return Plan(
        program,
        tuple(rated),
        tuple(_rule(rule) for rule in program.rules if rule.points is not None),
        tuple(_campaign(campaign) for campaign in program.campaigns),
        {level.id: level.multiplier for level in program.tiers.levels} if program.tiers else {},
    )


def _rule(rule: Rule) -> RulePlan:
    rate = rule.rate if rule.rate is not None else Fraction(0)
    return RulePlan(
        rule,
        rule.id,
        rate.numerator,
        rate.denominator * MICROS,
        number_text(rate.numerator, rate.denominator),
        rule.selection.everything,
        rule.conditions == _ANYBODY,
        rule.minimum_micros,
    )


def _campaign(campaign: Campaign) -> CampaignPlan:
    return CampaignPlan(
        campaign,
        campaign.multiplier,
        campaign.selection.everything,
        campaign.conditions == _ANYBODY,
        campaign.minimum_micros,
    )


def selects(selection: Selection, categories: tuple[str, ...], sku: str) -> bool:
    """Whether a line of these categories and this sku is selected."""
    if sku in selection.except_skus or not selection.except_categories.isdisjoint(categories):
        return False
    if not (selection.categories or selection.skus):
        return True
    return sku in selection.skus or not selection.categories.isdisjoint(categories)


_SCALE_PLACES = 12
_SCALE = 10**_SCALE_PLACES


def number_text(numerator: int, denominator: int) -> str:
    """A number as exact text: a decimal where twelve places do (`1.25`), else a fraction (`1/3`)."""
    if numerator % denominator == 0:
        return str(numerator // denominator)
    scaled, rest = divmod(numerator * _SCALE, denominator)
    if rest:
        return str(Fraction(numerator, denominator))
    whole, places = divmod(scaled, _SCALE)
    return f"{whole}.{places:0{_SCALE_PLACES}d}".rstrip("0")


def combined(mode: str, multipliers: list[Fraction]) -> Fraction:
    """Several multipliers on one line as one: their product, or the highest."""
    if len(multipliers) == 1:
        return multipliers[0]
    return max(multipliers) if mode == "highest" else prod(multipliers, start=Fraction(1))
