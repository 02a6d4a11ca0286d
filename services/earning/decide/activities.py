"""Activities: points for what members do, as often as the program's limit lets them; withdrawn they are worth 0."""

from __future__ import annotations

import msgspec

from services.earning.books import ActivityBook, Done, Grant
from services.earning.decide.case import Case, Prepared
from services.earning.decide.conditions import holds
from services.earning.decide.content import content_hash
from services.earning.decide.decision import Outcome
from services.earning.decide.draft import Draft
from services.earning.decide.grants import Deserved, Granting, multiplied, nothing, pinned, program_of
from services.earning.decide.lifecycle import first_told, joined, stands
from services.earning.decide.limits import leave_place, take_place
from services.earning.decide.plans import plan_of
from services.earning.decide.stamps import collect, stamps_of_activity
from services.earning.program.terms import Activity, Program, Versions
from services.earning.source_events.activities import ActivityRecorded, ActivityWithdrawn
from services.earning.source_events.facts import Fact
from services.earning.standing import KeyRow
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
    book = case.row.book if case.row is not None and isinstance(case.row.book, ActivityBook) else ActivityBook()
    status, rank = ("recorded", 0) if isinstance(data, ActivityRecorded) else ("withdrawn", 1)
    new_hash = content_hash(case.fact)
    changes = joined(book.changes, case.fact, status, rank, new_hash)
    if changes is None:
        return None
    content = _newest(book, case, data, new_hash)

    def settle(draft: Draft) -> Outcome:
        row = KeyRow(case.key, draft.standing.member, book, case.row.lots if case.row is not None else [])
        draft.keys[case.key] = row
        when = first_told(changes, {"withdrawn"})
        grant = book.grant if when is None else pinned(draft, case.versions, book.grant, when)
        done = content if content is not None and stands(changes, "recorded", "withdrawn") else None
        activity, reason = _counting(case.versions, grant, done)
        place, refused = _place(draft, case.versions, book, grant, activity)
        deserved = nothing(Reason.LIMIT_REACHED if refused else reason)
        if activity is not None and done is not None and not refused:
            deserved = _deserved(case.versions, grant, activity, done)
        granting = Granting(draft, case.versions, "withdrawn" if done is None else "edited")
        counts = done if activity is not None and not refused else None
        stamps = stamps_of_activity(program_of(case.versions, grant), counts.kind, counts.quantity) if counts else {}
        if draft.standing.closed:
            stamps = {card: min(number, book.stamps.get(card, 0)) for card, number in stamps.items()}
        grant = granting.bring(row, grant, deserved, quiet=stamps != book.stamps)
        collect(granting, row, program_of(case.versions, grant), book.stamps, stamps)
        row.book = ActivityBook(changes, content, grant, place, refused, stamps)
        granting.settle(row)
        return Outcome.APPLIED

    return settle


def _newest(book: ActivityBook, case: Case, data: ActivityRecorded | ActivityWithdrawn, new_hash: int) -> Done | None:
    known = book.content
    told = (case.fact.occurred_at, new_hash)
    if isinstance(data, ActivityWithdrawn) or (known is not None and told < (known.time, known.content_hash)):
        return known
    return Done(*told, data.kind, data.quantity, data.attributes)


def _counting(versions: Versions, grant: Grant, done: Done | None) -> tuple[Activity | None, Reason]:
    """What the program says of an activity, where it counts; else why it doesn't. None done: withdrawn, or not told."""
    program, pin = program_of(versions, grant), grant.pin
    if done is None:
        return None, Reason.NOTHING_CHANGED
    if program is None or pin is None:
        return None, Reason.NOT_IN_FORCE
    activity = program.activity(done.kind)
    if activity is None:
        return None, Reason.UNKNOWN_ACTIVITY
    if not holds(plan_of(program), activity.conditions, pin, done):
        return None, Reason.NOTHING_ELIGIBLE
    return activity, Reason.NOTHING_ELIGIBLE


def _place(
    draft: Draft, versions: Versions, book: ActivityBook, grant: Grant, activity: Activity | None
) -> tuple[str, bool]:
    """The activity's place under its kind's limit, and whether there was none left. Withdrawn it leaves its place.

    Raises:
        RowsMissingError: the limit's row was not looked for yet.
    """
    kept = activity is not None and book.place.startswith(f"{activity.id}/")
    if kept:
        return book.place, False
    leave_place(draft, book.place)
    program, pin = program_of(versions, grant), grant.pin
    if activity is None or activity.limit is None or program is None or pin is None:
        return "", False
    if book.refused:
        return "", True
    place = take_place(draft, program, activity.limit, activity.id, pin.when)
    return place, not place


def _deserved(versions: Versions, grant: Grant, activity: Activity, done: Done) -> Deserved:
    program: Program | None = program_of(versions, grant)
    if program is None or grant.pin is None:
        return nothing(Reason.NOT_IN_FORCE)
    points = activity.points * done.quantity if activity.per_unit else activity.points
    return multiplied(program, grant.pin, activity.id, activity.id, points)
