"""The folds, pure: what a point event means for a row of a read model. No clock, no I/O: a rebuild is the same fold."""

from services.projections.fold.history import HISTORY_COLUMNS, HistoryRow, history_row
from services.projections.fold.member import MEMBER_COLUMNS, MemberRow, fold_member

__all__ = ["HISTORY_COLUMNS", "MEMBER_COLUMNS", "HistoryRow", "MemberRow", "fold_member", "history_row"]
