"""What must be true of what the core tells, whatever the facts: events that can be read, and that say what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.earning.decide.core.draft import DUE
from services.earning.program.terms import Versions
from services.earning.source_events.facts import Fact
from services.earning.state.standing import KeyRow, Lot, Standing
from shared.errors import PermanentError
from shared.facts.activities import ActivityRecorded
from shared.facts.orders import Order, OrderCancelled, OrderFulfilled, OrderRefunded
from shared.facts.redemptions import RedemptionCancelled, RedemptionRequested
from shared.point_events import (
    SOURCE,
    EventData,
    Key,
    LotChange,
    MemberEnrolled,
    PointsEarned,
    PointsExpired,
    PointsReleased,
    PointsReversed,
    ReferralRewarded,
    TierChanged,
    TierRetained,
)
from shared.reasons import Reason

OWN_WORDS = {
    "refunded",
    "cancelled",
    "updated",
    "tier_lost",
    "stamps_lost",
    "expired",
    "closed",
    "reverted",
    "edited",
    "removed",
    "withdrawn",
    "voided",
}
TIER_WORDS = {
    *(
        "qualified",
        "reversed",
        "window_ended",
        "assigned",
        "assignment_ended",
        "imported",
        "program_changed",
        "claimed",
    ),
}
OF_MEMBERS_OWN = (Order, OrderRefunded, OrderCancelled, OrderFulfilled, RedemptionRequested, RedemptionCancelled)
"""Facts whose events are about them, and about nothing else but the member's lots and bonuses."""

_OF_AWARDS = PointsReleased | PointsEarned | PointsReversed
OF_A_FIELD = {
    Reason.EXPIRES_IN_PAST,
    Reason.NO_EXCHANGE_RATE,
    Reason.OCCURRED_IN_FUTURE,
    Reason.UNKNOWN_AWARD,
    Reason.UNKNOWN_TIER,
}
"""Reasons that lie in one field of the fact."""

REASONS = {str(reason) for reason in Reason} | OWN_WORDS | TIER_WORDS


def refused_badly(error: PermanentError, fact: Fact) -> list[str]:
    """A dead letter says why in words, by a known code, and names a field that the fact can have."""
    found = []
    if str(error).strip() in {"", "None"} or str(error.reason) not in REASONS:
        found.append(f"dead letter without words or a known reason: {error.reason}: {error}")
    fields = {"", "time", *(f"data.{name}" for name in getattr(fact.data, "__struct_fields__", ()))}
    if error.field not in fields:
        found.append(f"dead letter names a field that is not there: {error.field}")
    if not error.field and error.reason in OF_A_FIELD:
        found.append(f"dead letter names no field: {error.reason}")
    return found


def told_badly(
    fact: Fact | None,
    versions: Versions,
    before: Standing | None,
    after: Standing,
    events: Sequence[EventData],
    keys: Mapping[Any, KeyRow],
    lots: Sequence[Lot],
) -> list[str]:
    """Everything that the events of a decision say and that is not so, in words."""
    found: list[str] = []
    told: dict[int, LotChange] = {}
    rises = [event.before for event in events if isinstance(event, TierChanged)]
    tier = before.tier if before is not None else next(iter(rises), after.tier)
    for place, event in enumerate(events):
        found += _unreadable(event) + _shares(event) + _numbers(event, place, after, fact)
        found += _caused(event, fact, first=not any(other.cause != DUE for other in events[:place]))
        found += _named(event, fact, versions, lots) + _undeclared(event, fact, versions)
        told |= {change.lot: change for change in getattr(event, "lots", ())}
        if isinstance(event, TierChanged):
            found += [] if event.before == tier and event.after != tier else [f"tier {event.before} was {tier}"]
        tier = event.after if isinstance(event, TierChanged) else tier
    if events and tier != after.tier:
        found.append(f"tier told is {tier}, held {after.tier}")
    found += _rewarded(events)
    return found + _lots(told, lots, after) + _kept(keys, lots, after.member) + _until(events, after)


def _unreadable(event: EventData) -> list[str]:
    """Each kind of event can be read by the schema that is published for it."""
    try:
        msgspec.json.decode(msgspec.json.encode(event), type=type(event))
    except msgspec.ValidationError as error:
        return [f"{event.TYPE} can't be read: {error}"]
    return []


def _shares(event: EventData) -> list[str]:
    """Rules and lines add up to the points that were earned or reversed; lots to what balances changed by."""
    found = []
    if isinstance(event, PointsEarned | PointsReversed):
        if sum(share.points for share in event.rules) != event.points:
            found.append(f"{event.TYPE}: rules don't add up to {event.points}: {event.rules}")
        if event.lines and sum(event.lines.values()) != event.points:
            found.append(f"{event.TYPE}: lines don't add up to {event.points}: {event.lines}")
    moved = event.postings.get("available", 0) + event.postings.get("pending", 0)
    if sum(change.change for change in getattr(event, "lots", ())) != moved:
        found.append(f"{event.TYPE}: lots changed by something else than {moved}")
    return found


def _undeclared(event: EventData, fact: Fact | None, versions: Versions) -> list[str]:
    """Attributes that the program doesn't declare are not kept (rule 68)."""
    kept = event.fact.data if event.fact is not None else None
    if fact is None or not isinstance(kept, ActivityRecorded):
        return []
    known = (versions.at(fact.occurred_at) or versions.all[0]).activity(kept.kind)
    over = kept.attributes.keys() - (known.attributes if known is not None else frozenset())
    return [f"{event.TYPE}: attributes that nothing declares are kept: {over}"] if over else []


def _numbers(event: EventData, place: int, after: Standing, fact: Fact | None) -> list[str]:
    said = (event.program, event.member, event.decision, event.index)
    if said != (after.program, after.member, after.decision, place):
        return [f"{event.TYPE}: program, member, decision and index are {said}"]
    given = getattr(fact.data, "reason", None) if fact is not None else None
    reason = getattr(event, "reason", given)
    return [] if reason in REASONS or reason == given else [f"{event.TYPE}: unknown reason {reason!r}"]


def _caused(event: EventData, fact: Fact | None, *, first: bool) -> list[str]:
    """What was due says so and is booked at its instant; the fact's first event carries it, once."""
    found = []
    if event.cause == DUE:
        if event.fact is not None or event.occurred_at > event.decided_at:
            found.append(f"{event.TYPE}: due, but with a fact, or booked too early")
    elif fact is None or event.cause != fact.cause or event.occurred_at != fact.occurred_at:
        found.append(f"{event.TYPE}: caused by {event.cause} at {event.occurred_at}")
    elif (event.fact is not None) != first:
        found.append(f"{event.TYPE}: the fact is in the first event that it caused, and only there")
    return found


def _named(event: EventData, fact: Fact | None, versions: Versions, lots: Sequence[Lot]) -> list[str]:
    """An event names the business key that it is about, and a version of the program that there is.

    Referrals that follow an order speak for themselves.
    """
    of_card = event.key is not None and event.key.kind == "stamp_card"  # completed before there was a version
    earned = isinstance(event, PointsEarned) and not of_card
    if not earned <= event.program_version <= len(versions.all):
        return [f"{event.TYPE}: no version {event.program_version}"]
    if isinstance(event, PointsExpired) or (event.cause == DUE and not isinstance(event, _OF_AWARDS)):
        return [] if event.key is None else [f"{event.TYPE}: due, yet of {event.key}"]
    if event.key is None:
        return [f"{event.TYPE}: of no key"]
    by_lot = {Key(lot.key.source, lot.key.kind, lot.key.id) for lot in lots}
    if fact is not None and not isinstance(fact.data, OF_MEMBERS_OWN):
        return []
    own = fact is not None and event.key.source == fact.source and event.key.id in _names(fact)
    bonus = event.key.source == SOURCE and event.key.kind == "entry_bonus"
    followed = event.key.kind == "referral"
    if own or bonus or followed or event.key in by_lot:
        return []
    return [f"{event.TYPE}: of {event.key}, which is not what the fact is about"]


def _names(fact: Fact) -> set[str]:
    """What a key can be called that a fact is about."""
    data = fact.data
    names = {getattr(data, name) for name in data.__struct_fields__ if name.endswith("_id")} | {fact.member}
    batch = getattr(data, "batch_id", None)
    rows = [str(getattr(data, "row", "")), fact.member, *map(str, range(100))]
    return names | {f"{batch}/{row}" for row in rows}


def _rewarded(events: Sequence[EventData]) -> list[str]:
    """Who is told that a referral was rewarded has earned as much by it."""
    said = [(event.key, event.points) for event in events if isinstance(event, ReferralRewarded) and event.points]
    earned = [(event.key, event.points) for event in events if isinstance(event, PointsEarned)]
    roles = [event.role for event in events if isinstance(event, ReferralRewarded)]
    found = [f"no role is called {role}" for role in roles if role not in {"referrer", "referee"}]
    return found + [f"rewarded, not earned: {one}" for one in said if one not in earned]


def _lots(told: Mapping[int, LotChange], lots: Sequence[Lot], after: Standing) -> list[str]:
    """The last word on each lot is how it was saved; numbers are dense."""
    found = []
    kept = {lot.lot: lot for lot in lots}
    for number, change in told.items():
        lot = kept[number]
        said = (change.remaining, change.earned_at, change.available_at, change.expires_at, change.pending)
        if said != (lot.remaining, lot.earned_at, lot.available_at, lot.expires_at, lot.available_at is None):
            found.append(f"lot {number} is told as {change}, saved as {lot}")
    if sorted(kept) != list(range(1, after.lots + 1)):
        found.append(f"lots {sorted(kept)}, expected {after.lots}")
    if any(not 0 <= lot.remaining <= lot.points or not 0 <= lot.expired <= lot.points for lot in lots):
        found.append(f"a lot holds less than nothing, or more than it had: {lots}")
    return found


def _kept(keys: Mapping[Any, KeyRow], lots: Sequence[Lot], member: str) -> list[str]:
    """Rows and lots can be read again, and are the member's."""
    found = [f"row of {key} is saved as {row}" for key, row in keys.items() if (row.key, row.member) != (key, member)]
    try:
        msgspec.msgpack.decode(msgspec.msgpack.encode(list(keys.values())), type=list[KeyRow])
        msgspec.msgpack.decode(msgspec.msgpack.encode(lots), type=list[Lot])
    except msgspec.ValidationError as error:
        found.append(f"rows can't be read again: {error}")
    return found


def _until(events: Sequence[EventData], after: Standing) -> list[str]:
    """The last word on how long a tier holds is what the standing has; the day of joining never moves."""
    tiers = [event for event in events if isinstance(event, TierChanged | TierRetained)]
    found = []
    if tiers and tiers[-1].valid_until != after.tier_until:
        found.append(f"tier valid until {tiers[-1].valid_until} is told, {after.tier_until} held")
    held = (after.joined_at or after.since, after.segments, after.attributes)
    for event in events:
        if isinstance(event, MemberEnrolled):
            said = (event.joined_at, tuple(event.segments), event.attributes)
            found += [] if said == held else [f"enrolled as {said}, held as {held}"]
    return found
