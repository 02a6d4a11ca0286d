"""The transaction: under the fences' lock a batch is followed, folded and stored, and the fences move with the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import asyncpg
import msgspec

from services.projections import dead_letters, failpoints, store
from services.projections.decode import Decoded
from services.projections.fold import HistoryRow, MemberRow, fold_member, history_row
from services.projections.positions import Fence, Followed, Received, follow
from shared.telemetry import RoomClock

Members = dict[tuple[str, str], MemberRow]
"""(program, member) → their row."""


class Projected(msgspec.Struct):
    """What a committed batch did, per partition."""

    followed: dict[int, Followed]

    @property
    def applied(self) -> int:
        """How many events were folded."""
        return sum(len(followed.applied) for followed in self.followed.values())


async def project(
    session: asyncpg.Connection, generation: int, batch: Sequence[Decoded], clock: RoomClock
) -> Projected:
    """Fold a batch into a generation's tables: all of it, or on any error nothing.

    Raises:
        GenerationChangedError: newer tables are in place; try again with those.
        ForkError: a record seen again has other bytes than those folded.
        asyncpg.PostgresError, OSError: see `shared.postgres.TRANSIENT_ERRORS`.
    """
    async with session.transaction():
        fences = await store.lock_fences(session, generation, {decoded.partition for decoded in batch})
        followed = follow_all(fences, batch)
        applied = [record for each in followed for record in each.applied]
        with clock.measure("fold", len(applied)):
            members: Members = {}
            history = fold_all(applied, members)
        with clock.measure("store", len(applied)):
            await _write(session, generation, history, members.values(), fences, followed)
            await dead_letters.add(session, [letter for decoded in batch for letter in decoded.foreign])
            failpoints.reached(failpoints.Moment.BEFORE_COMMIT)
    failpoints.reached(failpoints.Moment.AFTER_COMMIT)
    return Projected({each.fence.partition: each for each in followed})


def follow_all(fences: dict[int, Fence], batch: Iterable[Decoded]) -> list[Followed]:
    """What of each partition's records is to be folded."""
    return [follow(fences[decoded.partition], decoded.records, decoded.read_to) for decoded in batch]


def fold_all(applied: Iterable[Received], members: Members) -> list[HistoryRow]:
    """Fold events that follow each other: gives their rows of history, and brings `members` up to the last."""
    history: list[HistoryRow] = []
    for record in applied:
        event = record.event
        if event is None:  # `follow` stops before such a record
            continue
        history.append(history_row(event, record.hash))
        key = (event.data.program, event.data.member)
        members[key] = fold_member(members.get(key), event)
    return history


async def _write(
    session: asyncpg.Connection,
    generation: int,
    history: Sequence[HistoryRow],
    members: Iterable[MemberRow],
    fences: dict[int, Fence],
    followed: Sequence[Followed],
) -> None:
    if history:
        await store.save(session, generation, history, members)
    if moved := [each.fence for each in followed if each.fence != fences[each.fence.partition]]:
        await store.move_fences(session, generation, moved)
    # After the rows: a record may come twice in one batch.
    if known := [record for each in followed for record in each.known]:
        await store.check_known(session, generation, known)
