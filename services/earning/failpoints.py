"""Failpoints: places where a test makes this process die, as a power cut would, at a moment it can't hit from outside.

`EARNING_FAILPOINT=before_commit:3` kills the process (SIGKILL: nothing is cleaned up) when it comes to that place for
the third time. Without the variable, which no deployment sets, a place costs one comparison. It lives in the product
because the moment between two statements can't be reached otherwise; and here, in one module, to be found.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum

VARIABLE = "EARNING_FAILPOINT"


class Place(StrEnum):
    """Where a crash tells most: what is and what isn't on disk or in the log differs from place to place."""

    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"
    AFTER_EMIT = "after_emit"


def _chosen() -> tuple[str, int]:
    name, _, times = os.environ.get(VARIABLE, "").partition(":")
    return (Place(name), int(times or 1)) if name else ("", 0)


_place, _left = _chosen()


def reached(place: Place) -> None:
    """Die here, if this is the place and the time."""
    if place == _place:
        _die_in_time()


def _die_in_time() -> None:
    global _left  # noqa: PLW0603 - counts down over the life of the process
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
