"""Random programs in which members touch members: referrals with limits and blocks, what multiplies them; guests."""

from __future__ import annotations

from msgspec.structs import replace

from services.earning.program.terms import Campaign, Limit, Program, Referrals, Tiers, Versions
from tests.support.model.chance import Chance
from tests.support.model.programs import MINIMUMS, MULTIPLIERS, conditions
from tests.support.model.referrals import REFERRAL, SIGNALS, WINDOWS

PERIODS = tuple(WINDOWS)


def of_members(chance: Chance, versions: Versions) -> Versions:
    """The same program with what it gives for bringing members; each version has terms of its own, or none."""
    if not chance.once_in(3):
        versions = _mergeable(versions)
    tiers = versions.all[0].tiers
    if tiers is not None and chance.once_in(2):
        tiers = _doubling(chance, tiers)
    asks = chance.once_in(3)
    programs = [_touching(chance, replace(program, tiers=tiers)) for program in versions.all]
    # Now and then a version asks for enrolment, or no longer does: who is a guest by then remains one.
    return Versions(tuple(replace(one, enrolment_required=asks != chance.once_in(8)) for one in programs))


def _mergeable(versions: Versions) -> Versions:
    """Without what keeps accounts from being merged here."""
    tiers = versions.all[0].tiers
    if tiers is not None and tiers.window == "anniversary":
        tiers = replace(tiers, window="calendar_year")
    return Versions(tuple(replace(program, tiers=tiers) for program in versions.all))


def may_merge(versions: Versions) -> bool:
    """Whether accounts are merged where everything is compared.

    Not where years of membership count, for they are others then.
    """
    return not any(program.tiers and program.tiers.window == "anniversary" for program in versions.all)


def _touching(chance: Chance, program: Program) -> Program:
    if chance.once_in(8):
        return program
    campaigns = program.campaigns
    if chance.once_in(3):
        times = chance.among(MULTIPLIERS)
        when = replace(conditions(chance), channels=frozenset(), stores=frozenset(), first_order=None)
        campaigns += (Campaign("bring", times, conditions=when, activities=frozenset({REFERRAL})),)
    return replace(program, referrals=referral_terms(chance), campaigns=campaigns)


def referral_terms(chance: Chance) -> Referrals:
    """Points for both sides, or for one; often blocked by nothing, seldom without a limit."""
    return Referrals(
        referrer=chance.one(20, 20, 7, 0),
        referee=chance.one(20, 15, 0),
        minimum_micros=chance.one(0, *MINIMUMS),
        blocks=frozenset(chance.subset(SIGNALS) if chance.once_in(2) else ()),
        limit=Limit(chance.one(1, 1, 2), chance.one("lifetime", *PERIODS)) if not chance.once_in(3) else None,
    )


def _doubling(chance: Chance, tiers: Tiers) -> Tiers:
    """Levels above the base multiply referrals."""
    levels = tuple(
        replace(level, activities=(*level.activities, (REFERRAL, chance.among(MULTIPLIERS))))
        if level.threshold
        else level
        for level in tiers.levels
    )
    return replace(tiers, levels=levels)
