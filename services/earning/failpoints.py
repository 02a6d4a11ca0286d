"""The places at which a test makes this service die or stand still: see `shared.failpoints`."""

from __future__ import annotations

from enum import StrEnum

from shared.failpoints import Failpoint

VARIABLE = "EARNING_FAILPOINT"


class Moment(StrEnum):
    """Where a crash tells most: what is and what isn't on disk or in the log differs from place to place."""

    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"
    AFTER_EMIT = "after_emit"
    BEFORE_INBOX_COMMIT = "before_inbox_commit"
    AFTER_INBOX_COMMIT = "after_inbox_commit"


COMMIT = (Moment.BEFORE_COMMIT, Moment.AFTER_COMMIT)
"""Right before and right after facts, or members who are due, are decided for good."""

INBOX_COMMIT = (Moment.BEFORE_INBOX_COMMIT, Moment.AFTER_INBOX_COMMIT)
"""Likewise for messages."""

reached = Failpoint(VARIABLE, Moment).reached
