"""Conditions: which rules and campaigns apply to an order by who and when, as pinned."""

from __future__ import annotations

from services.earning.books import Pin
from services.earning.decide.plans import Applying, Plan
from services.earning.program.terms import Conditions


def applying(plan: Plan, pin: Pin) -> Applying:
    """What applies to an order pinned so, before minimums are looked at."""
    every = plan.every
    if not plan.conditional:
        return every
    return Applying(
        tuple([rule for rule in every.rated if rule.conditions is None or holds(plan, rule.conditions, pin)]),
        tuple([rule for rule in every.fixed if rule.conditions is None or holds(plan, rule.conditions, pin)]),
        tuple([c for c in every.campaigns if c.conditions is None or holds(plan, c.conditions, pin)]),
    )


def holds(plan: Plan, conditions: Conditions, pin: Pin) -> bool:
    """Whether who and when, as pinned, are as the conditions ask."""
    return _who(conditions, pin) and _when(plan, conditions, pin)


def _who(conditions: Conditions, pin: Pin) -> bool:
    return (
        (not conditions.tiers or pin.tier in conditions.tiers)
        and (not conditions.segments or not conditions.segments.isdisjoint(pin.segments))
        and (not conditions.channels or pin.channel in conditions.channels)
        and (not conditions.stores or pin.store in conditions.stores)
        and (conditions.first_order is None or conditions.first_order == pin.first_order)
    )


def _when(plan: Plan, conditions: Conditions, pin: Pin) -> bool:
    if conditions.starts_at is not None and pin.when < conditions.starts_at:
        return False
    if conditions.ends_at is not None and pin.when >= conditions.ends_at:
        return False
    if not (conditions.weekdays or conditions.hours):
        return True
    local = pin.when.astimezone(plan.program.zone)
    return (not conditions.weekdays or local.isoweekday() in conditions.weekdays) and (
        not conditions.hours or local.hour in conditions.hours
    )
