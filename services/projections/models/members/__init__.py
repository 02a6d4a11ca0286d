"""Members: balances and tier of each, after their latest point event."""

from services.projections.models.members.fold import MEMBER_COLUMNS, MemberRow, fold_member, member_of
from services.projections.models.model import StateModel

MODEL = StateModel(
    name="members",
    package=__name__,
    columns=MEMBER_COLUMNS,
    key=("program", "member", "partition"),
    subject_of=member_of,
    fold=fold_member,
    values=MemberRow.values,
)
