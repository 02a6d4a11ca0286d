"""Activities: points for what members do, as often as the program's limit lets them; withdrawn they are worth 0.

Rules 27 and 68.
"""

from __future__ import annotations

import msgspec

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.content import content_hash
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft
from services.earning.decide.core.lifecycle import first_seen_at, is_active, with_change
from services.earning.decide.facts.stamps import collect, stamps_of_activity
from services.earning.decide.points.settlement import (
    Deserved,
    Settlement,
    first_granted,
    multiplied,
    nothing,
    program_of,
)
from services.earning.decide.value.conditions import holds
from services.earning.decide.value.limits import leave_place, take_place
from services.earning.decide.value.plans import plan_of
from services.earning.program.terms import Activity, Program, Versions
from services.earning.source_events.facts import Fact
from services.earning.state.keys import ActivityState, Done, Grant
from shared.facts.activities import ActivityRecorded, ActivityWithdrawn
from shared.reasons import Reason


def declared_only(versions: Versions, fact: Fact, data: ActivityRecorded) -> Fact:
    """The fact without attributes that the program in force then doesn't declare for its kind: they are not kept."""
    program = versions.at(fact.occurred_at) or versions.all[0]
    activity = program.activity(data.kind)
    known = activity.attributes if activity is not None else frozenset[str]()
    if known.issuperset(data.attributes):
        return fact
    kept = {name: value for name, value in data.attributes.items() if name in known}
    return msgspec.structs.replace(fact, data=msgspec.structs.replace(data, attributes=kept))


def prepare_activity(case: Case, data: ActivityRecorded | ActivityWithdrawn) -> Prepared | None:
    """Take a fact into its activity's book; None: it is known already."""
    book = case.state(ActivityState)
    status, rank = ("recorded", 0) if isinstance(data, ActivityRecorded) else ("withdrawn", 1)
    new_hash = content_hash(case.fact)
    changes = with_change(book.changes, case.fact, status, rank, new_hash)
    if changes is None:
        return None
    content = _newest(book, case, data, new_hash)

    def settle(draft: Draft) -> Outcome:
        row = draft.put(case.key, book)
        done = content if content is not None and is_active(changes, "recorded", "withdrawn") else None
        held = first_granted(draft, book.grant, first_seen_at(changes, {"withdrawn"}), stands=done is not None)
        program = program_of(case.versions, held.pin)
        activity, reason = _counting(program, held, done)
        place, refused = _place(draft, program, book, held, done, activity)
        deserved, stamps = nothing(reason), dict[str, int]()
        if program is not None and held.pin is not None and activity is not None and done is not None:
            if activity.limit is None or place:
                points = activity.points * done.quantity if activity.per_unit else activity.points
                deserved = multiplied(program, held.pin, activity.id, activity.id, points)
                stamps = stamps_of_activity(program, done.kind, done.quantity)
            else:
                deserved = nothing(Reason.LIMIT_REACHED if refused else Reason.MEMBER_CLOSED)
        stamps, why_none = _kept_stamps(draft, book, stamps)
        deserved = Deserved(deserved.points, deserved.rules, why_none or deserved.reason)
        settlement = Settlement(draft, "withdrawn" if done is None else "edited")
        grant = settlement.settle(row, held, deserved, only_if_points_move=stamps != book.stamps)
        collect(settlement, row, program, book.stamps, stamps)
        row.book = ActivityState(changes, content, grant, place, refused, stamps)
        settlement.move_tier(row)
        return Outcome.APPLIED

    return settle


def _newest(book: ActivityState, case: Case, data: ActivityRecorded | ActivityWithdrawn, new_hash: int) -> Done | None:
    known = book.content
    told = (case.fact.occurred_at, new_hash)
    if isinstance(data, ActivityWithdrawn) or (known is not None and told < (known.time, known.content_hash)):
        return known
    return Done(*told, data.kind, data.quantity, data.attributes)


def _counting(program: Program | None, grant: Grant, done: Done | None) -> tuple[Activity | None, Reason]:
    """What the program says of an activity, where it counts; else why it doesn't. None done: withdrawn, or not told."""
    if done is None:
        return None, Reason.NOTHING_CHANGED
    if program is None or grant.pin is None:
        return None, Reason.NOT_IN_FORCE
    activity = program.activity(done.kind)
    if activity is None:
        return None, Reason.UNKNOWN_ACTIVITY
    if not holds(plan_of(program), activity.conditions, grant.pin, done):
        return None, Reason.NOTHING_ELIGIBLE
    return activity, Reason.NOTHING_ELIGIBLE


def _kept_stamps(draft: Draft, book: ActivityState, stamps: dict[str, int]) -> tuple[dict[str, int], Reason | None]:
    """The stamps it has then, and what to say if nothing else is; who is closed collects no more."""
    kept = stamps
    if draft.standing.closed:
        least = {card: min(number, book.stamps.get(card, 0)) for card, number in stamps.items()}
        kept = {card: number for card, number in least.items() if number}
    if kept != stamps:
        return kept, Reason.MEMBER_CLOSED
    return kept, Reason.NOTHING_CHANGED if kept else None


def _place(
    draft: Draft,
    program: Program | None,
    book: ActivityState,
    grant: Grant,
    done: Done | None,
    activity: Activity | None,
) -> tuple[str, bool]:
    """The activity's place under its kind's limit, and whether it was refused one; none: withdrawn, or without limit.

    Refused once it stays so, until it is withdrawn or told of another kind. Who is closed takes no place.

    Raises:
        RowsMissingError: the limit's row was not looked for yet.
    """
    limit = activity.limit if activity is not None else None
    if activity is not None and limit is not None and book.place.rpartition("/")[0] == activity.id:
        return book.place, False
    leave_place(draft, book.place)
    refused = book.refused and done is not None and book.content is not None and book.content.kind == done.kind
    if activity is None or program is None or grant.pin is None:
        return "", refused
    if limit is None or refused or draft.standing.closed:
        return "", refused and limit is not None
    place = take_place(draft, program, limit, activity.id, grant.pin.when)
    return place, not place
