"""Failpoints: places where a test makes this process die, as a power cut would, or stand still, between two statements.

`PROJECTIONS_FAILPOINT=before_commit:3` kills the process (SIGKILL: nothing is cleaned up) when it comes to that place
for the third time; `before_commit:3:pause` stops it there until it is woken (SIGCONT). No deployment sets it, and
without it a place costs one comparison. From outside such a moment can't be hit.
"""

from __future__ import annotations

import itertools
import os
import signal
from enum import StrEnum

VARIABLE = "PROJECTIONS_FAILPOINT"


class Place(StrEnum):
    """Where a crash tells most: rows written and not committed, or committed and not yet known to us."""

    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"


_name, *_rest = os.environ.get(VARIABLE, "").split(":")
_place = Place(_name) if _name else None
_time = int(_rest[0]) if _rest else 1
_signal = signal.SIGSTOP if _rest[1:] == ["pause"] else signal.SIGKILL
_visits = itertools.count(1)


def reached(place: Place) -> None:
    """Die or stand still here, if this is the place and the time."""
    if place == _place and next(_visits) == _time:
        os.kill(os.getpid(), _signal)
