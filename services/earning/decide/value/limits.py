"""Limits: so many times a day, week, month, year, or in a lifetime. Places are counted in a row for each window.

Rules 27, 67 and 68.
"""

from __future__ import annotations

from datetime import datetime

from services.earning.decide.core.draft import Draft
from services.earning.decide.core.local_days import local_date
from services.earning.program.terms import Limit, Program
from services.earning.state.keys import LimitState
from services.earning.state.standing import BusinessKey
from shared.point_events import SOURCE


def take_place(draft: Draft, program: Program, limit: Limit, name: str, when: datetime, *, beyond: bool = False) -> str:
    """Take a place under the limit `name` in the window of an instant; gives the place, empty where none is left.

    `beyond`: one more than there are.

    Raises:
        RowsMissingError: the window's row was not looked for yet.
    """
    place = f"{name}/{_window(program, limit.per, when)}"
    if draft.state(_key(draft, place), LimitState).used >= limit.times and not beyond:
        return ""
    _count(draft, place, 1)
    return place


def leave_place(draft: Draft, place: str) -> None:
    """Give a place back, for others that are decided later.

    Raises:
        RowsMissingError: the window's row was not looked for yet.
    """
    if place:
        _count(draft, place, -1)


def _window(program: Program, per: str, when: datetime) -> str:
    day = local_date(program.zone, when)
    if per == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02}"
    return {"day": day.isoformat(), "month": f"{day:%Y-%m}", "year": f"{day:%Y}"}.get(per, per)


def _count(draft: Draft, place: str, change: int) -> None:
    key = _key(draft, place)
    draft.put(key, LimitState(draft.state(key, LimitState).used + change))


def _key(draft: Draft, place: str) -> BusinessKey:
    standing = draft.standing
    return BusinessKey(standing.program, SOURCE, "limit", f"{standing.member}/{place}")
