"""Failpoints: places where a test makes this process die or stand still, at a moment it can't hit from outside.

`EARNING_FAILPOINT=before_commit:3` kills the process (SIGKILL: nothing is cleaned up) when it comes to that place for
the third time; `before_commit:3:pause` stops it there until it is woken (SIGCONT). Without the variable, which no
deployment sets, a place costs one comparison. It lives in the product because the moment between two statements can't
be reached otherwise; and here, in one module, to be found.
"""

from __future__ import annotations

import itertools
import os
import signal
from enum import StrEnum

VARIABLE = "EARNING_FAILPOINT"


class Place(StrEnum):
    """Where a crash tells most: what is and what isn't on disk or in the log differs from place to place."""

    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"
    AFTER_EMIT = "after_emit"
    BEFORE_INBOX_COMMIT = "before_inbox_commit"
    AFTER_INBOX_COMMIT = "after_inbox_commit"


_name, *_rest = os.environ.get(VARIABLE, "").split(":")
_place = Place(_name) if _name else None
_time = int(_rest[0]) if _rest else 1
_signal = signal.SIGSTOP if _rest[1:] == ["pause"] else signal.SIGKILL
_visits = itertools.count(1)


def reached(place: Place) -> None:
    """Die or stand still here, if this is the place and the time."""
    if place == _place and next(_visits) == _time:
        os.kill(os.getpid(), _signal)
