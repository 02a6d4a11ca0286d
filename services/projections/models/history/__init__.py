"""History: each point event as a row."""

from services.projections.models.history.fold import HISTORY_COLUMNS, history_row
from services.projections.models.model import EventModel

MODEL = EventModel(
    name="history",
    package=__name__,
    columns=HISTORY_COLUMNS,
    key=("program", "member", "sequence", "partition"),
    row=history_row,
)
