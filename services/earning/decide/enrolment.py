"""Enrolment: points for joining, once for each member."""

from __future__ import annotations

from services.earning.books import EnrolmentBook, Grant
from services.earning.decide.case import Case
from services.earning.decide.draft import Draft
from services.earning.decide.grants import Deserved, Granting, pinned
from services.earning.standing import BusinessKey, KeyRow
from shared.point_events import SOURCE, RuleShare


def welcome(draft: Draft, case: Case) -> None:
    """Give the bonus for enrolling, unless the member has had it.

    Raises:
        RowsMissingError: the bonus's row was not looked for yet.
    """
    standing, points = draft.standing, case.program.enrolment_bonus
    key = BusinessKey(standing.program, SOURCE, "enrolment", standing.member)
    if not points or draft.row(key) is not None:
        return
    row = KeyRow(key, standing.member, EnrolmentBook())
    draft.keys[key] = row
    granting = Granting(draft, case.versions, "")
    grant = pinned(draft, case.versions, Grant(), case.fact.occurred_at)
    row.book = EnrolmentBook(granting.bring(row, grant, Deserved([RuleShare("enrolment", points)])))
    granting.settle(row)
