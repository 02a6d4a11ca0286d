"""Conditions: which rules and campaigns apply to an order by who and when, as pinned. Rules 3, 27 and 29."""

from __future__ import annotations

from services.earning.decide.value.plans import Applying, Plan
from services.earning.program.terms import Conditions
from services.earning.state.keys import Done, Pin


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


def holds(plan: Plan, conditions: Conditions, pin: Pin, done: Done | None = None) -> bool:
    """Whether who and when, as pinned, are as the conditions ask; `done` is the activity they are asked of."""
    return (
        _who(conditions, pin)
        and _when(plan, conditions, pin)
        and (conditions.expression is None or conditions.expression.holds(_values(plan, pin, done)))
    )


def _values(plan: Plan, pin: Pin, done: Done | None) -> dict[str, object]:
    """What expressions see (`program.expressions`)."""
    local = pin.when.astimezone(plan.program.zone)
    values: dict[str, object] = {
        "member.tier": pin.tier,
        "member.segments": list(pin.segments),
        "member.attributes": pin.attributes,
        "member.first_order": pin.first_order,
        "order.channel": pin.channel or "",
        "order.store": pin.store or "",
        "time.year": local.year,
        "time.month": local.month,
        "time.day": local.day,
        "time.weekday": local.isoweekday(),
        "time.hour": local.hour,
    }
    if done is not None:
        activity = plan.program.activity(done.kind)
        declared = activity.attributes if activity is not None else ()
        values |= {f"attributes.{name}": done.attributes.get(name, "") for name in declared}
        values["quantity"] = done.quantity
    return values


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
