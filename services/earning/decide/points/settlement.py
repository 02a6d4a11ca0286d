"""Grants: points of keys other than orders. What a key deserves less what it has becomes points earned or reversed.

Rules 25 to 28, 36 and 65.
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from math import prod
from typing import Any

import msgspec
from msgspec.structs import replace

from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.core.numbers import number_text, rounded
from services.earning.decide.points.ladder import ladder_of
from services.earning.decide.points.lots import note_due
from services.earning.decide.points.pending import AT_ONCE, Release, earn_lot, wait_with_points, waiting_sum
from services.earning.decide.points.reversal import forgive, take_back
from services.earning.decide.points.tiers import Qualified, move_tier, qualify, tier_at, together
from services.earning.decide.points.timers import release_lot
from services.earning.decide.value.conditions import holds
from services.earning.decide.value.plans import plan_of
from services.earning.program.terms import Program, Versions
from services.earning.state.keys import Grant, Pin
from services.earning.state.standing import KeyRow, Standing
from shared.point_events import FactRecorded, PointsEarned, PointsReversed, RuleShare
from shared.reasons import Reason


class Deserved(msgspec.Struct, frozen=True):
    """What a key should be worth now, by rule; `reason` says why it is nothing, where it is."""

    rules: list[RuleShare]
    reason: Reason = Reason.NOTHING_ELIGIBLE

    @property
    def points(self) -> int:
        """All of it."""
        return sum(share.points for share in self.rules)


def nothing(reason: Reason) -> Deserved:
    """No points, and why."""
    return Deserved([], reason)


def pinned(draft: Draft, versions: Versions, grant: Grant, when: datetime) -> Grant:
    """Who and when: the version goes by the earliest time known, the rest stays as first decided."""
    pin = grant.pin
    if pin is not None and pin.when == when:
        return grant
    program = versions.at(when)
    number = program.version if program is not None else 0
    standing = draft.standing
    if pin is not None:
        now = replace(pin, version=number, when=when)
    else:
        tier, first = tier_at(standing, versions, when), not standing.orders_open
        now = Pin(number, when, tier, standing.segments, first, None, None, attributes_asked(program, standing))
    return Grant(now, grant.rules, grant.qualified, grant.window)


def first_pinned(draft: Draft, versions: Versions, grant: Grant, when: datetime | None, *, stands: bool) -> Grant:
    """The same for what can end before it is known to have begun: pinned when it first stands."""
    if when is None or not (stands or grant.pin is not None):
        return grant
    return pinned(draft, versions, grant, when)


def attributes_asked(program: Program | None, standing: Standing) -> dict[str, str]:
    """The member's attributes, where the program has expressions that may ask for them."""
    return standing.attributes if program is not None and plan_of(program).asking else {}


def program_of(versions: Versions, grant: Grant) -> Program | None:
    """The version that a grant has pinned; None: none was in force."""
    return versions.numbered(grant.pin.version) if grant.pin is not None and grant.pin.version else None


def multiplied(program: Program, pin: Pin, rule: str, kind: str, points: int) -> Deserved:
    """Points of a kind of grant, times the tier's and the campaigns' multipliers that name the kind."""
    plan = plan_of(program)
    multipliers = [Fraction(1)]
    level = next((level for level in program.tiers.levels if level.id == pin.tier), None) if program.tiers else None
    if level is not None:
        multipliers += [multiplier for name, multiplier in level.activities if name == kind]
    multipliers += [
        campaign.multiplier
        for campaign in program.campaigns
        if kind in campaign.activities and holds(plan, campaign.conditions, pin)
    ]
    total = max(multipliers[1:], default=multipliers[0]) if program.multipliers == "highest" else prod(multipliers)
    if total == 1:
        return Deserved([RuleShare(rule, points)] if points else [])
    raw = points * total
    given, raw_text = rounded(program.rounding, raw.numerator, raw.denominator)
    text = number_text(total.numerator, total.denominator)
    return Deserved([RuleShare(rule, given, "", str(points), text, raw_text)])


class Settlement:
    """One key's grant brought to what it deserves, in a draft; tiers move when all of the fact's points have."""

    __slots__ = ("because", "draft", "moved", "release", "versions")

    def __init__(self, draft: Draft, versions: Versions, because: str, release: Release = AT_ONCE) -> None:
        self.draft = draft
        self.versions = versions
        self.because = because
        self.release = release
        self.moved: list[Qualified] = []

    def bring(self, row: KeyRow, grant: Grant, deserved: Deserved, *, quiet: bool = False) -> Grant:
        """Say the difference between what a key has and what it deserves; gives the grant as it is then.

        `quiet`: other events say enough where no points move.
        """
        draft, program = self.draft, program_of(self.versions, grant)
        if draft.standing.closed and deserved.points > grant.points:
            held = [RuleShare(rule, points) for rule, points in grant.rules.items()]
            deserved = Deserved(held, Reason.MEMBER_CLOSED)
        change = deserved.points - grant.points
        counted = grant.qualified - waiting_sum(draft, row)
        own: dict[str, Any] = {"rules": _difference(grant.rules, deserved.rules)}
        if change > 0:
            self._earn(row, grant, program, change, own)
        elif change < 0:
            self._take_back(row, -change, own)
        rules = {share.rule: share.points for share in deserved.rules if share.points}
        grant, qualified = self._requalify(row, Grant(grant.pin, rules, grant.qualified, grant.window), counted)
        self.moved.append(qualified)
        own |= qualified.told
        self._say(row, program, change, own, Reason.NOTHING_CHANGED if rules else deserved.reason, quiet=quiet)
        return grant

    def wait_anew(self, row: KeyRow) -> None:
        """Give lots that wait the date of the release, now that it is another; release those whose date has come."""
        draft, at = self.draft, self.release.at
        for number in row.lots:
            lot = draft.lot(number)
            if lot.available_at is not None or lot.expired or draft.standing.closed or not self.release.waits:
                continue
            if lot.release_at != at:
                lot = draft.own_lot(number)
                lot.release_at = at
                note_due(draft.standing, lot)
            is_time = at is not None and at <= draft.standing.clock and not draft.standing.provisional
            if at is not None and is_time and (lot.remaining or lot.qualifies):
                self.moved.append(release_lot(draft, self.versions, number, at))

    def settle(self, row: KeyRow) -> None:
        """Rise or fall by all that was brought."""
        qualified = together(self.moved)
        present = ladder_of(self.versions.at(self.draft.standing.clock))
        if present is not None and qualified.changes:
            move_tier(self.draft, present, qualified, event_key(row.key))

    def _earn(self, row: KeyRow, grant: Grant, program: Program | None, points: int, own: dict[str, Any]) -> None:
        when = grant.pin.when if grant.pin is not None else None
        change, postings = earn_lot(self.draft, row, points, program, self.release, when)
        own |= {"lots": [change], "postings": postings}

    def _take_back(self, row: KeyRow, points: int, own: dict[str, Any]) -> None:
        taken = take_back(self.draft, row, points)
        own["rules"] = [RuleShare(s.rule, -s.points, s.basis, s.rate, s.multiplier, s.raw) for s in own["rules"]]
        own |= {"lots": taken.lots, "to_deficit": taken.to_deficit, "from_expired": taken.from_expired}
        own["postings"] = {**taken.postings, "reversed": points}

    def _requalify(self, row: KeyRow, grant: Grant, counted: int) -> tuple[Grant, Qualified]:
        """Count the grant in its tier window; `counted` is what it has there so far. Lots that wait count later."""
        draft = self.draft
        ladder = ladder_of(program_of(self.versions, grant))
        if ladder is None or grant.pin is None:
            return self._disqualify(row, grant, counted)
        qualified = grant.points if ladder.tiers.measure == "points_earned" else 0
        counts = qualified - wait_with_points(draft, row) if qualified or grant.qualified else 0
        window = ladder.key(draft.standing, grant.pin.when)
        changes = {window: counts}
        if grant.window:
            changes[grant.window] = changes.get(grant.window, 0) - counted
        present = ladder_of(self.versions.at(draft.standing.clock)) or ladder
        moved = qualify(draft.standing, present, {name: change for name, change in changes.items() if change})
        return Grant(grant.pin, grant.rules, qualified, window), moved

    def _disqualify(self, row: KeyRow, grant: Grant, counted: int) -> tuple[Grant, Qualified]:
        """Leave the tier window: no version was in force at its time, as turns out now."""
        draft = self.draft
        if not grant.window:
            return grant, qualify(draft.standing, None, {})
        wait_with_points(draft, row)
        present = ladder_of(self.versions.at(draft.standing.clock))
        moved = qualify(draft.standing, present, {grant.window: -counted} if counted else {})
        return Grant(grant.pin, grant.rules), moved

    def _say(
        self, row: KeyRow, program: Program | None, change: int, own: dict[str, Any], reason: Reason, *, quiet: bool
    ) -> None:
        draft, key, version = self.draft, event_key(row.key), program.version if program is not None else 0
        if change > 0:
            draft.say(PointsEarned, key=key, version=version, points=change, **own)
        elif change < 0:
            draft.say(PointsReversed, key=key, version=version, points=-change, reason=self.because, **own)
            if own["to_deficit"] and program is not None and program.deficit == "forgive":
                forgive(draft, key, version, own["to_deficit"], self.because)
        elif not quiet:
            draft.say(FactRecorded, key=key, version=version, reason=reason, **own)


def _difference(held: dict[str, int], deserved: list[RuleShare]) -> list[RuleShare]:
    """What changes, rule by rule."""
    shares = {share.rule: share for share in deserved}
    changes = []
    for rule in {**held, **shares}:
        share = shares.get(rule) or RuleShare(rule, 0)
        change = share.points - held.get(rule, 0)
        if change:
            changes.append(RuleShare(rule, change, share.basis, share.rate, share.multiplier, share.raw))
    return changes
