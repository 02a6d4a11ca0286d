"""Enrolment: points for joining, once for each member; and what a guest earned before, which waited for it.

Rules 30 and 71.
"""

from __future__ import annotations

from services.earning.decide.core.case import Case
from services.earning.decide.core.draft import Draft
from services.earning.decide.points.ladder import present_ladder
from services.earning.decide.points.lots import note_due
from services.earning.decide.points.settlement import Settlement, by_rule, granted
from services.earning.decide.points.tiers import Qualified, move_tier
from services.earning.decide.points.timers import release_lot
from services.earning.state.keys import EnrolmentState, Grant
from services.earning.state.standing import BusinessKey, RowsMissingError
from shared.point_events import SOURCE


def bring_in(draft: Draft, case: Case) -> None:
    """What enrolling brings: points that waited for it, the bonus; then, by all of it at once, another tier.

    Raises:
        RowsMissingError: not all lots are there, or the bonus's row was not looked for yet.
    """
    released = release_waiting(draft) if draft.standing.provisional else []
    moved = [*released, *welcome(draft, case)]
    move_tier(draft, present_ladder(draft), moved, case.key)


def release_waiting(draft: Draft) -> list[Qualified]:
    """A guest is one no more: points that waited for that alone become available; others wait for their own date.

    What that changed in tier windows is given back: the tier moves when all has come.

    Raises:
        RowsMissingError: not all lots are there.
    """
    standing = draft.standing
    if not draft.rows.all_lots:
        raise RowsMissingError(everything=True)
    standing.provisional, standing.lots_due = False, None
    released = []
    for lot in sorted(draft.visible_lots(), key=lambda lot: lot.lot):
        note_due(standing, lot)
        due = lot.due if lot.available_at is None else None
        if due is not None and due <= standing.clock:
            instant = max(due, draft.occurred_at)
            released.append(release_lot(draft, lot.lot, instant))
    return released


def welcome(draft: Draft, case: Case) -> list[Qualified]:
    """Give the bonus for enrolling, unless the member has had it, was closed since, or enrolled before the program.

    Raises:
        RowsMissingError: the bonus's row was not looked for yet.
    """
    standing, program = draft.standing, case.versions.at(case.fact.occurred_at)
    points = program.enrolment_bonus if program is not None and not standing.closed else 0
    key = BusinessKey(standing.program, SOURCE, "enrolment", standing.member)
    if not points or draft.row(key) is not None:
        return []
    row, settlement = draft.put(key, EnrolmentState()), Settlement(draft, "")
    grant = granted(draft, Grant(), case.fact.occurred_at)
    row.book = EnrolmentState(settlement.settle(row, grant, by_rule("enrolment", points)))
    return settlement.moved
