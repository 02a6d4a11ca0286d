"""Workers as processes: several of them, paused, killed at the worst moments, replaced; the tables stay right."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.postgres import TRANSIENT_ERRORS, connect
from tests.eventually import eventually
from tests.integration.projections.projection_rig import Desk, Process


async def right(desk: Desk) -> None:
    """The tables are exactly what the log says: balances, and each line of history, once and in order."""
    assert await desk.balances() == desk.balances_of_log()
    rows = await desk.rows(
        "SELECT partition, position, member, sequence, change, balance, deficit FROM loyalty.history"
        " ORDER BY partition, position"
    )
    expected = sorted(
        (
            entry.shard,
            entry.position,
            entry.event.member,
            entry.event.sequence,
            entry.event.postings.get("available", 0),
            entry.event.balances.available,
            entry.event.balances.deficit,
        )
        for entry in desk.log.entries
    )
    assert [tuple(row) for row in rows] == expected


async def grow(desk: Desk, events: int, seed: int) -> None:
    """More events, on Kafka too."""
    before = len(desk.log.entries)
    desk.log.busy(events, members=40, seed=seed)
    await desk.publish(desk.log.entries[before:])


async def some_are_folded(desk: Desk, at_least: int) -> None:
    async def so_far() -> bool:
        return sum((await desk.positions()).values()) >= at_least

    await eventually(so_far, what=f"{at_least} events are folded")


async def test_two_workers_make_the_same_tables_as_one(desk: Desk, tmp_path: Path) -> None:
    await grow(desk, 400, seed=1)
    with desk.process(tmp_path), desk.process(tmp_path):
        await some_are_folded(desk, 100)
        await grow(desk, 400, seed=2)
        await desk.folded()
    await right(desk)


async def test_a_worker_stops_gracefully(desk: Desk, tmp_path: Path) -> None:
    await grow(desk, 400, seed=1)
    with desk.process(tmp_path) as worker:
        await some_are_folded(desk, 20)
        assert worker.terminate() == 0
        assert '"stopped"' in worker.said()
    with desk.process(tmp_path):
        await desk.folded()
    await right(desk)


@pytest.mark.parametrize("place", ["before_commit:2", "after_commit:2"])
async def test_a_worker_killed_in_the_fold_loses_and_doubles_nothing(desk: Desk, tmp_path: Path, place: str) -> None:
    await grow(desk, 400, seed=1)
    with desk.process(tmp_path, PROJECTIONS_FAILPOINT=place) as worker:
        await eventually(worker.killed_itself, what="the worker came to its failpoint")
    assert await desk.positions() != desk.log.positions
    with desk.process(tmp_path, PROJECTIONS_GROUP=desk.group("its replacement")):
        await desk.folded()
    await right(desk)


async def test_a_worker_killed_again_and_again_loses_and_doubles_nothing(desk: Desk, tmp_path: Path) -> None:
    await grow(desk, 600, seed=1)
    for kill in range(1, 4):
        # In a group of its own nobody waits for the dead one's session to end: what counts is in Postgres.
        with desk.process(tmp_path, PROJECTIONS_GROUP=desk.group(f"worker {kill}")) as worker:
            await some_are_folded(desk, 100 * kill)
            worker.kill()
    with desk.process(tmp_path):
        await desk.folded()
    await right(desk)


async def test_a_paused_worker_that_wakes_up_late_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    await grow(desk, 400, seed=1)
    with desk.process(tmp_path) as sleeper:
        await some_are_folded(desk, 50)
        sleeper.pause()
        with desk.process(tmp_path):
            # The group takes the sleeper's partitions away once its session is over.
            await desk.folded()
            await grow(desk, 200, seed=2)
            await desk.folded()
            sleeper.resume()
            await grow(desk, 200, seed=3)
            await desk.folded()
            await alive(sleeper)
    await right(desk)


async def test_a_worker_paused_inside_its_transaction_frees_its_locks_and_changes_nothing(
    desk: Desk, tmp_path: Path
) -> None:
    await grow(desk, 400, seed=1)
    with desk.process(tmp_path, PROJECTIONS_FAILPOINT="before_commit:2:pause") as sleeper:
        await eventually(sleeper.stands_still, what="the worker came to its failpoint")
        with desk.process(tmp_path, PROJECTIONS_GROUP=desk.group("its replacement")):
            await desk.folded()
            sleeper.resume()
            await grow(desk, 100, seed=2)
            await desk.folded()
            await alive(sleeper)
    await right(desk)


async def alive(worker: Process) -> None:
    assert worker.terminate() == 0


async def test_another_number_of_partitions_is_refused(desk: Desk, tmp_path: Path) -> None:
    session = "UPDATE projections.generation SET partitions = 9"
    await desk.rows(session)
    with desk.process(tmp_path) as worker:
        await eventually(lambda: "9" in worker.said() and worker.ended(), what="the worker refuses to start")
        assert "4 partitions" in worker.said()
        assert worker.terminate() != 0


async def test_a_database_without_our_tables_is_refused(desk: Desk, tmp_path: Path) -> None:
    await desk.rows("DELETE FROM migrations.applied WHERE owner = 'projections'")
    with desk.process(tmp_path) as worker:
        await eventually(worker.ended, what="the worker refuses to start")
        assert "python -m deploy.migrate" in worker.said()


async def test_a_lock_held_by_a_process_paused_inside_a_copy_is_freed(desk: Desk, tmp_path: Path) -> None:
    # No timeout of Postgres reaches a session that waits for COPY data: its process may be paused for ever.
    await grow(desk, 50, seed=1)
    async with desk.worker():
        await desk.folded()
    await grow(desk, 50, seed=2)
    never = asyncio.Event()

    async def stands_still() -> AsyncIterator[tuple[int]]:
        await never.wait()
        yield (0,)

    session = await connect(desk.dsn, role="projector", application="tallystick-projections-0")
    holding = session.transaction()
    await holding.start()
    await session.execute("SELECT FROM projections.positions_1 FOR UPDATE")
    copying = asyncio.create_task(
        session.copy_records_to_table(
            "dead_letters", schema_name="projections", records=stands_still(), columns=["partition"]
        )
    )
    with desk.process(tmp_path):
        await desk.folded()
    never.set()
    with pytest.raises(TRANSIENT_ERRORS):
        await copying
    session.terminate()
    await right(desk)
