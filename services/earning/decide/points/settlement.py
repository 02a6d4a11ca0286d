"""Settlement: what a key has, brought to what it deserves; the difference is earned or reversed.

Rules 9, 12, 13, 22, 25 to 28, 34, 36, 65 and 71.

Orders, reviews, activities, cards, referrals and the bonus for enrolling are settled here. An order is an award that
also has lines and an exchange rate, and that tiers may count by its spend.
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from math import prod

import msgspec
from msgspec.structs import replace

from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.core.numbers import number_text, rounded
from services.earning.decide.points.ladder import Ladder, ladder_of, present_ladder
from services.earning.decide.points.lots import fill_pending, new_lot
from services.earning.decide.points.pending import (
    AT_ONCE,
    Raised,
    Release,
    earn_lot,
    first_with_points,
    wait_anew,
    wait_as_one,
    wait_with_points,
    waiting_sum,
)
from services.earning.decide.points.reversal import forgive_owed, reverse
from services.earning.decide.points.tiers import Qualified, move_tier, qualify, tier_at
from services.earning.decide.points.timers import release_lot
from services.earning.decide.value.conditions import holds
from services.earning.decide.value.plans import plan_of
from services.earning.program.terms import Program, Versions
from services.earning.state.keys import Grant, Pin
from services.earning.state.standing import KeyRow
from shared.point_events import EventData, FactRecorded, PointsEarned, PointsReversed, RuleShare
from shared.reasons import Reason


class Deserved(msgspec.Struct, frozen=True):
    """What a key should be worth now, by rule; `reason` says why it is nothing, where it is.

    Of an order also: by line_id, at which exchange `rate`, its `spend` (micros), and whether it `counts` as one.
    """

    points: int
    rules: list[RuleShare]
    reason: Reason = Reason.NOTHING_ELIGIBLE
    lines: dict[str, int] = {}
    rate: str = ""
    spend: int = 0
    counts: bool = False


def nothing(reason: Reason) -> Deserved:
    """No points, and why."""
    return Deserved(0, [], reason)


def by_rule(rule: str, points: int) -> Deserved:
    """The points of one rule, if it gives any."""
    return Deserved(points, [RuleShare(rule, points)] if points else [])


def kept(rules: dict[str, int]) -> list[RuleShare]:
    """What a key has by rule, as what it deserves: who is closed earns nothing more (rule 71)."""
    return [RuleShare(rule, points) for rule, points in rules.items()]


def pinned(draft: Draft, pin: Pin | None, when: datetime, channel: str | None = None, store: str | None = None) -> Pin:
    """Who and when: the version goes by the earliest time known, the rest stays as first decided (rules 9, 34, 36)."""
    if pin is not None and pin.when == when:
        return pin
    program = draft.versions.at(when)
    number = program.version if program is not None else 0
    if pin is not None:
        return replace(pin, version=number, when=when)
    standing = draft.standing
    attributes = standing.attributes if program is not None and plan_of(program).asking else {}
    tier, first = tier_at(standing, draft.versions, when), not standing.orders_open
    return Pin(number, when, tier, standing.segments, first, channel, store, attributes)


def granted(draft: Draft, grant: Grant, when: datetime) -> Grant:
    """A grant with who and when as they are known now."""
    return replace(grant, pin=pinned(draft, grant.pin, when))


def granted_anew(draft: Draft, grant: Grant, when: datetime) -> Grant:
    """A grant without points of which who and when are asked anew; it leaves the window that it qualifies in."""
    return Grant(pinned(draft, None, when), {}, grant.qualified, grant.window)


def first_granted(draft: Draft, grant: Grant, when: datetime | None, *, stands: bool) -> Grant:
    """A grant of what can end before it is known to have begun: who and when are asked when it first stands."""
    if when is None or not (stands or grant.pin is not None):
        return grant
    return granted(draft, grant, when)


def program_of(versions: Versions, pin: Pin | None) -> Program | None:
    """The version that an award has pinned; None: none was in force."""
    return versions.numbered(pin.version) if pin is not None and pin.version else None


def multiplied(program: Program, pin: Pin, rule: str, kind: str, points: int) -> Deserved:
    """Points of a kind of grant, times the tier's and the campaigns' multipliers that name the kind (rule 65)."""
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
        return by_rule(rule, points)
    raw = points * total
    given, raw_text = rounded(program.rounding, raw.numerator, raw.denominator)
    text = number_text(total.numerator, total.denominator)
    return Deserved(given, [RuleShare(rule, given, "", str(points), text, raw_text)])


class Settlement:
    """Awards of one fact, brought to what they deserve; the tier moves when all of the fact's points have (rule 72).

    `reason` is what a reversal says. `release` is when points earned become available, `raised` when those do that came
    later, where that is another date.
    """

    __slots__ = ("draft", "ladder", "moved", "raised", "reason", "release")

    def __init__(self, draft: Draft, reason: str, release: Release = AT_ONCE, raised: Raised | None = None) -> None:
        self.draft = draft
        self.ladder = present_ladder(draft)
        self.reason = reason
        self.release = release
        self.raised = raised
        self.moved: list[Qualified] = []

    def settle(
        self,
        row: KeyRow,
        held: Grant,
        deserved: Deserved,
        lines: dict[str, int] | None = None,
        *,
        only_if_points_move: bool = False,
    ) -> Grant:
        """Say the difference between what a key has and what it deserves; what it has then.

        An order has `lines`, too (points by line_id); lots of it that wait get the date that is known now.
        `only_if_points_move`: where none do, other events say enough.
        """
        draft = self.draft
        if draft.standing.closed and deserved.points > held.points:
            deserved = Deserved(held.points, kept(held.rules), Reason.MEMBER_CLOSED)
        program = program_of(draft.versions, held.pin)
        held_back = waiting_sum(draft, row) if held.window else 0
        event = self._move_points(row, program, held, deserved, lines)
        after, qualified = self._requalify(row, program, held, deserved, held_back)
        come = self._come(row, program) if self.release.waits and lines is not None else []
        if not isinstance(event, FactRecorded) or not (only_if_points_move or come):
            draft.record(event, qualified.progress)
        if isinstance(event, PointsReversed):
            forgive_owed(draft, program, event.key, event.to_deficit, event.reason)
        self.moved.append(qualified)
        if come:
            self._release_all(come)
        return after

    def wait_anew(self, row: KeyRow, held: Grant) -> None:
        """Give lots that wait the date of the release, now that it is another; release those whose date has come."""
        if self.release.waits:
            self._release_all(self._come(row, program_of(self.draft.versions, held.pin)))

    def move_tier(self, row: KeyRow, otherwise: Program | None = None) -> None:
        """Rise or fall by all that was settled; by the ladder of another version where none is in force."""
        move_tier(self.draft, self.ladder or ladder_of(otherwise), self.moved, row.key)

    def _come(self, row: KeyRow, program: Program | None) -> list[tuple[int, datetime]]:
        if program is None:
            return []
        return wait_anew(self.draft, row, program, self.release, self.raised)

    def _release_all(self, come: list[tuple[int, datetime]]) -> None:
        self.moved += [release_lot(self.draft, number, instant) for number, instant in come]

    def _move_points(
        self, row: KeyRow, program: Program | None, held: Grant, deserved: Deserved, lines: dict[str, int] | None
    ) -> EventData:
        """Earn or take back the difference; gives the event that says so."""
        draft, points = self.draft, deserved.points - held.points
        # An order's first settlement also says which rules came to nothing.
        is_first = lines is not None and not held.rules
        rules = deserved.rules if is_first else _rule_changes(held.rules, deserved.rules)
        changes = _line_changes(lines, deserved.lines) if lines else deserved.lines
        key, version = event_key(row.key), program.version if program is not None else 0
        if points > 0:
            release = self.release
            if self.raised is not None and first_with_points(draft, row) is not None:
                release = self.raised(draft.occurred_at)
            when = held.pin.when if held.pin is not None else None
            lot, postings = earn_lot(draft, row, points, program, release, when)
            return PointsEarned(
                key=key,
                program_version=version,
                postings=postings,
                points=points,
                rules=rules,
                lines=changes,
                lots=[lot],
                rate=deserved.rate,
            )
        if points < 0:
            taken = [replace(share, points=-share.points) for share in rules]
            event = reverse(draft, row, program, -points, self.reason, taken)
            event.lines = {line_id: -change for line_id, change in changes.items()}
            return event
        reason = Reason.NOTHING_CHANGED if held.rules else deserved.reason
        return FactRecorded(key=key, program_version=version, reason=reason, rules=rules, lines=changes)

    def _requalify(
        self, row: KeyRow, program: Program | None, held: Grant, deserved: Deserved, held_back: int
    ) -> tuple[Grant, Qualified]:
        """Count what a key has in its tier window; what waits counts there when it is released (rule 22).

        `held_back` is what of it was waiting so far. Where its version has no tiers, it leaves the window.
        """
        draft, pin, ladder = self.draft, held.pin, ladder_of(program)
        window, qualified, changes = "", 0, dict[str, int]()
        if ladder is not None and pin is not None:
            window, qualified = ladder.key(draft.standing, pin.when), _qualifying(ladder, deserved)
            begins = qualified > 0 and not held.qualified
            changes[window] = qualified - self._hold_back(row, ladder, pin, qualified, begins=begins)
        elif held.window:
            wait_as_one(draft, row, 0, None)
        if held.window:
            changes[held.window] = changes.get(held.window, 0) - (held.qualified - held_back)
        if 0 in changes.values():
            changes = {name: change for name, change in changes.items() if change}
        rules = {share.rule: share.points for share in deserved.rules if share.points}
        return Grant(pin, rules, qualified, window), qualify(draft.standing, self.ladder or ladder, changes)

    def _hold_back(self, row: KeyRow, ladder: Ladder, pin: Pin, qualified: int, *, begins: bool) -> int:
        """Let what qualifies wait with the key's pending lots; how much that is together."""
        if ladder.tiers.measure == "points_earned":
            return wait_with_points(self.draft, row)
        carrier = self._carrier(row, ladder.program, pin) if begins else None
        return wait_as_one(self.draft, row, qualified, carrier)

    def _carrier(self, row: KeyRow, program: Program, pin: Pin) -> int | None:
        """The pending lot with which an order's spend, or the order itself, waits to qualify; None: it does not wait.

        It is the one made for its points just now; where it earned none, one without points. A guest's orders all wait.
        """
        draft, release = self.draft, self.release
        waits = release.waits and (release.at is None or release.at > draft.standing.clock)
        if not (waits or draft.standing.provisional):
            return None
        newest = draft.lots.get(row.lots[-1]) if row.lots else None
        if newest is not None and newest.available_at is None and newest.lot not in draft.rows.lots:
            return newest.lot
        lot = new_lot(draft, row, 0, program.version)
        lot.when = pin.when
        fill_pending(draft, lot, release.at if release.waits else draft.occurred_at)
        return lot.lot


def _qualifying(ladder: Ladder, deserved: Deserved) -> int:
    """What an award adds to its tier window, by the measure: points, micros of spend, or one order."""
    if ladder.tiers.measure == "points_earned":
        return deserved.points
    return deserved.spend if ladder.tiers.measure == "spend" else int(deserved.counts)


def _rule_changes(held: dict[str, int], deserved: list[RuleShare]) -> list[RuleShare]:
    """What changes, rule by rule."""
    shares = {share.rule: share for share in deserved}
    changes = []
    for rule in {**held, **shares}:
        share = shares.get(rule) or RuleShare(rule, 0)
        change = share.points - held.get(rule, 0)
        if change:
            changes.append(replace(share, points=change))
    return changes


def _line_changes(held: dict[str, int], deserved: dict[str, int]) -> dict[str, int]:
    """What changes, line by line."""
    changes = {line_id: deserved.get(line_id, 0) - held.get(line_id, 0) for line_id in {**held, **deserved}}
    return {line_id: change for line_id, change in changes.items() if change}
