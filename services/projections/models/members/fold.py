"""The fold of members: balances and tier after the latest event; the parts an event is silent on stay as they were."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec.structs import astuple

from services.projections.events import Event
from shared.point_events import Balances, TierRetained


class MemberRow(msgspec.Struct):
    """A member's balances and tier after event `sequence`.

    A row of a batch begins empty: what None leaves unsaid is kept by the store. `tier_until` is said with `tier` (then
    None means for ever), `to_next` and `to_keep` with `qualifying` (then None means none).
    """

    partition: int
    program: str
    member: str
    sequence: int
    booked_at: datetime
    balances: Balances
    tier: str | None = None
    tier_since: datetime | None = None
    tier_until: datetime | None = None
    qualifying: Decimal | None = None
    to_next: Decimal | None = None
    to_keep: Decimal | None = None

    def values(self) -> tuple[object, ...]:
        """The row in the order of `MEMBER_COLUMNS`."""
        partition, program, member, sequence, booked_at, balances, *tier = astuple(self)
        return (partition, program, member, sequence, booked_at, *astuple(balances), *tier)


_FIRST = MemberRow.__struct_fields__.index("balances")
MEMBER_COLUMNS = (
    *MemberRow.__struct_fields__[:_FIRST],
    *Balances.__struct_fields__,
    *MemberRow.__struct_fields__[_FIRST + 1 :],
)


def member_of(event: Event) -> tuple[str, str]:
    """Whose row the event changes: program and member."""
    data = event.data
    return data.program, data.member


def fold_member(row: MemberRow | None, event: Event) -> MemberRow:
    """The member's row after the event; `row` is changed in place where it is given."""
    data = event.data
    if row is None:
        row = MemberRow(data.shard, data.program, data.member, data.sequence, data.decided_at, data.balances)
    else:
        row.sequence, row.booked_at, row.balances = data.sequence, data.decided_at, data.balances
    if data.after is not None:
        row.tier, row.tier_since, row.tier_until = data.after, data.since, data.valid_until
    elif event.type == TierRetained.TYPE:
        row.tier, row.tier_until = data.tier, data.valid_until
    if data.qualifying is not None:
        # These are said together: one that is missing is none (no next tier, nothing needed to keep this one).
        row.qualifying, row.to_next, row.to_keep = data.qualifying, data.to_next, data.to_keep
    return row
