"""Caps: the most that orders may earn, of one order, and of a member in a day, a week, a month of the program's zone.

Rules 7 and 46.

What a member's orders hold of recent windows is on the standing; of older ones, in a row for each window.
"""

from __future__ import annotations

from datetime import date, datetime

from services.earning.decide.core.draft import Draft
from services.earning.decide.core.local_days import local_date
from services.earning.program.terms import Caps, Program
from services.earning.state.keys import CapState, OrderState
from services.earning.state.standing import BusinessKey
from shared.point_events import SOURCE

_RECENT_MAX = 9
"""Cap windows kept on the standing: the last three days, weeks and months that orders were decided in."""


def windows_of(program: Program, when: datetime) -> tuple[str, ...]:
    """The cap windows that an order of that time counts in: `day:2026-06-01`, `week:2026-W23`, `month:2026-06`."""
    caps = program.caps
    if caps.day is None and caps.week is None and caps.month is None:
        return ()
    day = local_date(program.zone, when)
    named = (("day", caps.day, day.isoformat()), ("week", caps.week, _week(day)), ("month", caps.month, f"{day:%Y-%m}"))
    return tuple(f"{kind}:{name}" for kind, limit, name in named if limit is not None)


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def room_for(draft: Draft, program: Program, book: OrderState, *, renewed: bool) -> int:
    """The most that an order may hold, where its program has a cap for it.

    It is what the order holds and what is left of its windows. An order that was cut off and isn't `renewed` (sold
    otherwise, or paid again) may hold no more than it holds: nobody else's refund tops it up.
    """
    caps, held = program.caps, book.points
    if not renewed and held < book.uncapped:
        return held
    limits = _limits(caps)
    rooms = [held + max(0, limits[window.partition(":")[0]] - used_of(draft, window)) for window in book.caps]
    if caps.order is not None:
        rooms.append(caps.order)
    return min(rooms)


def _limits(caps: Caps) -> dict[str, int]:
    return {"day": caps.day or 0, "week": caps.week or 0, "month": caps.month or 0}


def used_of(draft: Draft, window: str) -> int:
    """The points of orders in a cap window.

    Raises:
        RowsMissingError: it is not recent, and its row was not looked for yet.
    """
    recent = draft.standing.caps.get(window)
    if recent is not None or not _was_left(draft, window):
        return recent or 0
    return draft.state(_key(draft, window), CapState).points


def use(draft: Draft, windows: tuple[str, ...], change: int) -> None:
    """Count points of orders in cap windows; windows that are not recent any more go to rows of their own."""
    if not change:
        return
    for window in windows:
        used = used_of(draft, window) + change
        if window not in draft.standing.caps and _was_left(draft, window):
            draft.put(_key(draft, window), CapState(used))
        else:
            draft.standing.caps = {**draft.standing.caps, window: used}
    _leave_old(draft)


def _was_left(draft: Draft, window: str) -> bool:
    """Whether a window is older than those of its kind on the standing, and so may have a row."""
    kind = window.partition(":")[0] + ":"
    known = [name for name in draft.standing.caps if name.startswith(kind)]
    return len(known) >= _RECENT_MAX // 3 and window < min(known)


def _leave_old(draft: Draft) -> None:
    for kind in ("day:", "week:", "month:"):
        known = sorted(name for name in draft.standing.caps if name.startswith(kind))
        for window in known[: -_RECENT_MAX // 3]:
            caps = {**draft.standing.caps}
            draft.put(_key(draft, window), CapState(caps.pop(window)))
            draft.standing.caps = caps


def _key(draft: Draft, window: str) -> BusinessKey:
    standing = draft.standing
    return BusinessKey(standing.program, SOURCE, "cap", f"{standing.member}/{window}")
