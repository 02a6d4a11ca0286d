"""The rebuild: the same fold over the whole log, into new tables beside the old; compared, then put in their place."""

from services.projections.rebuild.report import Difference, Progress, Report, TableReport
from services.projections.rebuild.run import rebuild

__all__ = ["Difference", "Progress", "Report", "TableReport", "rebuild"]
