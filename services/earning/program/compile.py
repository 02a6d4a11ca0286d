"""Compile a checked document into terms: the same meaning, in the form that `decide` reads.

A setting that both have by one name needs no word here; one that was left out has the terms' own default.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from services.earning.program import document as written
from services.earning.program import terms
from services.earning.program.expressions import GRANTS, ORDERS, Visible, compiled, of_activity
from services.earning.program.values import hours_of
from services.earning.program.zones import zone
from shared.money import MICROS

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_Terms = TypeVar("_Terms", bound=msgspec.Struct)


def compile_program(document: written.Document, version: int, in_force_from: datetime) -> terms.Program:
    """The terms of a version, in force from an instant that its publication fixed."""
    return _terms(
        terms.Program,
        document,
        document.orders,
        name=document.program,
        version=version,
        in_force_from=in_force_from.astimezone(UTC),  # as all instants are: unlike zones are slow to compare
        zone=zone(document.time_zone),
        rules=[_rule(rule) for rule in document.rules],
        campaigns=[_campaign(campaign) for campaign in document.campaigns],
        gate=document.orders.award,
        tiers=None if document.tiers is None else _tiers(document.tiers),
        expiry=_terms(terms.Expiry, document.expiry),
        reviews=None if document.reviews is None else _reviews(document.reviews),
        activities=[_activity(activity) for activity in document.activities],
        referrals=None if document.referrals is None else _referrals(document.referrals),
        enrolment_bonus=document.enrolment.bonus or 0,
        enrolment_required=document.enrolment.required,
        cards=[_card(card) for card in document.cards],
    )


def compile_versions(versions: Sequence[tuple[written.Document, datetime]]) -> terms.Versions:
    """All versions of one program, each with its instant, in order of publication."""
    return terms.Versions(
        tuple(compile_program(document, number, instant) for number, (document, instant) in enumerate(versions, 1))
    )


def _terms(kind: type[_Terms], *parts: written.Part, **otherwise: object) -> _Terms:
    """The terms of a kind from parts of the document; `otherwise` has what is not said there by the same name."""
    said = {name: value for part in parts for name, value in part if value is not None}
    return msgspec.convert(said | otherwise, kind, from_attributes=True)


def _rule(rule: written.Rule) -> terms.Rule:
    return _terms(
        terms.Rule,
        rule,
        selection=_selection(rule),
        conditions=_conditions(rule, ORDERS),
        minimum_micros=rule.minimum,
    )


def _campaign(campaign: written.Campaign) -> terms.Campaign:
    return _terms(
        terms.Campaign,
        campaign,
        selection=_selection(campaign),
        conditions=_conditions(campaign, GRANTS if campaign.activities else ORDERS),
        minimum_micros=campaign.minimum,
    )


def _reviews(reviews: written.Reviews) -> terms.Reviews:
    return _terms(terms.Reviews, reviews, length_min=reviews.minimum_length)


def _activity(activity: written.Activity) -> terms.Activity:
    return _terms(terms.Activity, activity, conditions=_conditions(activity, of_activity(activity.attributes)))


def _referrals(referrals: written.Referrals) -> terms.Referrals:
    return _terms(terms.Referrals, referrals, minimum_micros=referrals.minimum)


def _card(card: written.Card) -> terms.Card:
    return _terms(terms.Card, card, selection=None if card.orders is None else _selection(card.orders))


def _selection(entry: written.Entry | written.Units) -> terms.Selection:
    exclusion = entry.except_
    return _terms(terms.Selection, entry.only, except_categories=exclusion.categories, except_skus=exclusion.skus)


def _conditions(entry: written.Entry | written.Activity, visible: Visible) -> terms.Conditions:
    when = entry.when
    return _terms(
        terms.Conditions,
        when,
        weekdays={_WEEKDAYS.index(day) + 1 for day in when.weekdays},
        hours={hour for span in when.hours for hour in hours_of(span)},
        starts_at=entry.from_,
        ends_at=entry.until,
        expression=None if when.expression is None else compiled(when.expression, visible),
    )


def _tiers(tiers: written.Tiers) -> terms.Tiers:
    """The first level is the base; it stands in the ladder too, with threshold 0."""
    levels = [_level(level, tiers.measure) for level in tiers.levels]
    return _terms(terms.Tiers, tiers, base=levels[0].id, levels=levels)


def _level(level: written.Level, measure: str) -> terms.TierLevel:
    """Thresholds are written like money; as points and orders they are whole."""
    threshold = level.threshold if measure == "spend" else level.threshold // MICROS
    return _terms(terms.TierLevel, level, threshold=threshold, activities=[*level.activities.items()])
