"""Compile a checked document into terms: the same meaning, in the form that `decide` reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from services.earning.program import document as written
from services.earning.program import terms
from services.earning.program.expressions import GRANTS, ORDERS, Visible, compiled, of_activity
from services.earning.program.values import hours_of
from services.earning.program.zones import zone
from shared.money import MICROS

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

MONTHS_OF_A_YEAR = 12
"""What stands for the months of a window that doesn't roll; nothing reads it."""


def compile_program(document: written.Document, version: int, in_force_from: datetime) -> terms.Program:
    """The terms of a version, in force from an instant that its publication fixed."""
    return terms.Program(
        name=document.program,
        version=version,
        in_force_from=in_force_from.astimezone(UTC),  # as all instants are: unlike zones are slow to compare
        currency=document.currency,
        zone=zone(document.time_zone),
        rules=tuple(_rule(rule) for rule in document.rules),
        campaigns=tuple(_campaign(campaign) for campaign in document.campaigns),
        basis=terms.Basis(**document.basis.model_dump()),
        rounding=document.orders.rounding,
        stacking=document.orders.stacking,
        multipliers=document.orders.multipliers,
        gate=document.orders.award,
        deficit=document.orders.deficit,
        tiers=None if document.tiers is None else _tiers(document.tiers),
        pending=_pending(document.orders),
        expiry=terms.Expiry(document.expiry.mode, document.expiry.months or 0),
        caps=terms.Caps(**document.orders.caps.model_dump()),
        reviews=None if document.reviews is None else _reviews(document.reviews),
        activities=tuple(_activity(activity) for activity in document.activities),
        referrals=None if document.referrals is None else _referrals(document.referrals),
        enrolment_bonus=document.enrolment.bonus or 0,
        enrolment_required=document.enrolment.required,
        cards=tuple(_card(card) for card in document.cards),
        rewards=tuple(terms.Reward(reward.id, reward.points, frozenset(reward.tiers)) for reward in document.rewards),
    )


def compile_versions(versions: Sequence[tuple[written.Document, datetime]]) -> terms.Versions:
    """All versions of one program, each with its instant, in order of publication."""
    return terms.Versions(
        tuple(compile_program(document, number, instant) for number, (document, instant) in enumerate(versions, 1))
    )


def _pending(orders: written.Orders) -> terms.Pending | None:
    pending = orders.pending
    return None if pending is None else terms.Pending(pending.after, pending.days)


def _rule(rule: written.Rule) -> terms.Rule:
    return terms.Rule(
        id=rule.id,
        rate=rule.rate,
        points=rule.points,
        selection=_selection(rule),
        conditions=_conditions(rule, ORDERS),
        minimum_micros=rule.minimum,
        priority=rule.priority,
    )


def _campaign(campaign: written.Campaign) -> terms.Campaign:
    return terms.Campaign(
        id=campaign.id,
        multiplier=campaign.multiplier,
        selection=_selection(campaign),
        conditions=_conditions(campaign, GRANTS if campaign.activities else ORDERS),
        minimum_micros=campaign.minimum,
        activities=frozenset(campaign.activities),
    )


def _reviews(reviews: written.Reviews) -> terms.Reviews:
    return terms.Reviews(
        points=reviews.points,
        photo=reviews.photo or 0,
        video=reviews.video or 0,
        verified_only=reviews.verified_only,
        length_min=reviews.minimum_length,
        once_per_product=reviews.once_per_product,
    )


def _activity(activity: written.Activity) -> terms.Activity:
    return terms.Activity(
        id=activity.id,
        points=activity.points or 0,
        per_unit=activity.per_unit,
        limit=_limit(activity.limit),
        attributes=frozenset(activity.attributes),
        conditions=_circumstances(activity.when, activity.from_, activity.until, of_activity(activity.attributes)),
    )


def _limit(limit: written.Limit | None) -> terms.Limit | None:
    return None if limit is None else terms.Limit(limit.times, limit.per)


def _referrals(referrals: written.Referrals) -> terms.Referrals:
    return terms.Referrals(
        referrer=referrals.referrer or 0,
        referee=referrals.referee or 0,
        minimum_micros=referrals.minimum,
        blocks=frozenset(referrals.blocks),
        limit=_limit(referrals.limit),
    )


def _card(card: written.Card) -> terms.Card:
    return terms.Card(
        id=card.id,
        every=card.every,
        activity=card.activity or "",
        selection=None if card.orders is None else _selection(card.orders),
        points=card.points or 0,
        reward=card.reward or "",
    )


def _selection(entry: written.Entry | written.Units) -> terms.Selection:
    return terms.Selection(
        categories=frozenset(entry.only.categories),
        skus=frozenset(entry.only.skus),
        except_categories=frozenset(entry.except_.categories),
        except_skus=frozenset(entry.except_.skus),
    )


def _conditions(entry: written.Entry, visible: Visible) -> terms.Conditions:
    when = entry.when
    return replace(
        _circumstances(when, entry.from_, entry.until, visible),
        channels=frozenset(when.channels),
        stores=frozenset(when.stores),
        first_order=when.first_order,
    )


def _circumstances(
    when: written.Circumstances, starts_at: datetime | None, ends_at: datetime | None, visible: Visible
) -> terms.Conditions:
    return terms.Conditions(
        tiers=frozenset(when.tiers),
        segments=frozenset(when.segments),
        weekdays=frozenset(_WEEKDAYS.index(day) + 1 for day in when.weekdays),
        hours=frozenset(hour for span in when.hours for hour in hours_of(span)),
        starts_at=starts_at,
        ends_at=ends_at,
        expression=None if when.expression is None else compiled(when.expression, visible),
    )


def _tiers(tiers: written.Tiers) -> terms.Tiers:
    """The first level is the base; it stands in the ladder too, with threshold 0."""
    return terms.Tiers(
        base=tiers.levels[0].id,
        levels=tuple(_level(level, tiers.measure) for level in tiers.levels),
        measure=tiers.measure,
        window=tiers.window,
        months=tiers.months or MONTHS_OF_A_YEAR,
        grace_days=tiers.grace_days,
        fall=tiers.fall,
        open_refund=tiers.open_refund,
    )


def _level(level: written.Level, measure: str) -> terms.TierLevel:
    """Thresholds are written like money; as points and orders they are whole."""
    threshold = level.threshold if measure == "spend" else level.threshold // MICROS
    return terms.TierLevel(
        level.id,
        threshold,
        level.multiplier,
        tuple(level.benefits),
        level.entry_bonus or 0,
        tuple(level.activities.items()),
    )
