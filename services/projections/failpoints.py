"""The places at which a test makes this service die or stand still: see `shared.failpoints`."""

from __future__ import annotations

from enum import StrEnum

from shared.failpoints import Failpoint

VARIABLE = "PROJECTIONS_FAILPOINT"


class Moment(StrEnum):
    """Where a crash tells most: rows written and not committed, or committed and not yet known to us."""

    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"


reached = Failpoint(VARIABLE, Moment).reached
