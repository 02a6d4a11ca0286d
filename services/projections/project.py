"""The transaction: under the fences' lock a batch is followed, folded and stored, and the fences move with the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import asyncpg

from services.projections import dead_letters, failpoints, store
from services.projections.decode import Decoded
from services.projections.models import Model, Rows
from services.projections.positions import Fence, Followed, Received, follow
from shared.telemetry import RoomClock


async def project(
    session: asyncpg.Connection, generation: int, models: Sequence[Model], batch: Sequence[Decoded], clock: RoomClock
) -> dict[int, Followed]:
    """Fold a batch into a generation's tables of `models`: all of it, or on any error nothing; gives it by partition.

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
            folded = [model.begin() for model in models]
            fold_all(applied, folded)
        with clock.measure("store", len(applied)):
            await _write(session, generation, folded, fences, followed)
            await dead_letters.add(session, [letter for decoded in batch for letter in decoded.foreign])
            failpoints.reached(failpoints.Moment.BEFORE_COMMIT)
    failpoints.reached(failpoints.Moment.AFTER_COMMIT)
    return {each.fence.partition: each for each in followed}


def follow_all(fences: dict[int, Fence], batch: Iterable[Decoded]) -> list[Followed]:
    """What of each partition's records is to be folded."""
    return [follow(fences[decoded.partition], decoded.records, decoded.read_to) for decoded in batch]


def fold_all(applied: Iterable[Received], folded: Iterable[Rows]) -> None:
    """Fold events that follow each other into the rows of each model."""
    # `follow` stops before a record without an event.
    events = [(record.event, record.hash) for record in applied if record.event is not None]
    for rows in folded:
        rows.fold(events)


async def _write(
    session: asyncpg.Connection,
    generation: int,
    folded: Iterable[Rows],
    fences: dict[int, Fence],
    followed: Sequence[Followed],
) -> None:
    await store.save(session, generation, folded)
    if moved := [each.fence for each in followed if each.fence != fences[each.fence.partition]]:
        await store.move_fences(session, generation, moved)
    # After the rows: a record may come twice in one batch.
    if known := [record for each in followed for record in each.known]:
        await store.check_known(session, generation, known)
