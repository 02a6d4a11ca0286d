"""Failpoints: places where a test makes a process die or stand still, at a moment it can't hit from outside.

`EARNING_FAILPOINT=before_commit:3` kills the process (SIGKILL: nothing is cleaned up) when it comes to that place for
the third time; `before_commit:3:pause` stops it there until it is woken (SIGCONT). Without the variable, which no
deployment sets, a place costs one comparison. It lives in the product because the moment between two statements can't
be reached otherwise; and each service names its places in one module, to be found.
"""

from __future__ import annotations

import itertools
import os
import signal
from enum import StrEnum


class Failpoint:
    """The place and the time that a variable names: `PLACE[:TIME[:pause]]`.

    Raises:
        ValueError: it names no place of the service's, or no number.
    """

    def __init__(self, variable: str, places: type[StrEnum]) -> None:
        name, *rest = os.environ.get(variable, "").split(":")
        self._place = places(name) if name else None
        self._time = int(rest[0]) if rest else 1
        self._signal = signal.SIGSTOP if rest[1:] == ["pause"] else signal.SIGKILL
        self._visits = itertools.count(1)

    def reached(self, place: StrEnum) -> None:
        """Die or stand still here, if this is the place and the time."""
        if place == self._place and next(self._visits) == self._time:
            os.kill(os.getpid(), self._signal)
