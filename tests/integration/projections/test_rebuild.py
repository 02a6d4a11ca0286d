"""The rebuild: the same tables from the log alone, under the eyes of readers and workers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from services.projections.rebuild import Progress, Report, rebuild
from services.projections.rebuild.workers import ReadingFailedError, share_out
from shared.broker import Outgoing
from shared.codec import headers_of
from shared.errors import TransientError
from tests.eventually import eventually
from tests.integration.projections.kafka_log import publish_a_header_name_that_is_no_text
from tests.integration.projections.projection_rig import Desk
from tests.support.databases import session
from tests.unit.projections.points_log import PointsLog

READ_SECONDS = 30
"""A reader who is kept waiting waits for as long as the other one holds the views."""


async def run(desk: Desk, *, check_only: bool = False, processes: int = 1) -> Report:
    return await rebuild(desk.dsn, desk.bootstrap_servers, desk.topics, check_only=check_only, processes=processes)


async def folded_once(desk: Desk, events: int = 200) -> None:
    """A log, folded by a worker that is gone again."""
    desk.log.busy(events)
    await desk.publish()
    async with desk.worker():
        await desk.folded()


async def tables_there(desk: Desk) -> set[str]:
    rows = await desk.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'projections'::regnamespace AND relname ~ '_[0-9]+$'"
    )
    return {row["relname"] for row in rows}


async def test_a_rebuild_comes_out_identical_and_is_then_what_the_views_show(desk: Desk) -> None:
    await folded_once(desk)
    before = await desk.tables()
    report = await run(desk, processes=2)
    assert report.identical
    assert report.swapped
    assert report.events == len(desk.log.entries)
    assert await desk.generation() == report.generation == 2
    assert await desk.tables() == before
    assert await tables_there(desk) == {"positions_2", "members_2", "history_2"}


async def test_a_check_changes_nothing(desk: Desk) -> None:
    await folded_once(desk)
    report = await run(desk, check_only=True)
    assert (report.identical, report.swapped) == (True, False)
    assert await desk.generation() == 1
    assert await tables_there(desk) == {"positions_1", "members_1", "history_1"}


async def test_a_corrupted_balance_is_named_and_right_after_the_swap(desk: Desk) -> None:
    await folded_once(desk)
    before = await desk.tables()
    await desk.rows("UPDATE projections.members_1 SET available = available + 1000 WHERE member = 'm3'")
    report = await run(desk, check_only=True)
    assert not report.identical
    assert report.differing_members == 1
    available = desk.log.members["m3"].balances.available
    (difference,) = report.differences
    assert (difference.table, difference.member, difference.what) == ("members", "m3", "available")
    assert (difference.live, difference.rebuilt) == (str(available + 1000), str(available))
    assert await desk.tables() != before
    assert (await run(desk)).swapped
    assert await desk.tables() == before
    assert (await run(desk, check_only=True)).identical


async def test_corrupted_history_is_named_by_member_and_row(desk: Desk) -> None:
    await folded_once(desk)
    await desk.rows("DELETE FROM projections.history_1 WHERE member = 'm1' AND sequence = 2")
    await desk.rows("UPDATE projections.history_1 SET reason = 'whim' WHERE member = 'm2' AND sequence = 1")
    report = await run(desk, check_only=True)
    assert report.differing_members == 2
    found = {(d.table, d.member, d.what, d.live, d.rebuilt) for d in report.differences}
    assert ("history", "m1", "row 2", None, "there") in found
    assert ("history", "m2", "row 1 reason", "whim", None) in found


async def test_a_row_of_nobody_is_named(desk: Desk) -> None:
    await folded_once(desk)
    await desk.rows(
        "INSERT INTO projections.members_1 SELECT partition, program, 'ghost', sequence, booked_at, available, pending,"
        " deficit, earned, restored, adjusted, imported, expired_reversed, forgiven, reinstated, transferred_in,"
        " transferred_out, reversed, redeemed, expired, reverted FROM projections.members_1 WHERE member = 'm1'"
    )
    report = await run(desk, check_only=True)
    assert [(d.member, d.what, d.live, d.rebuilt) for d in report.differences] == [("ghost", "row", "there", None)]


async def test_repeats_gaps_and_foreign_records_of_the_log_make_no_difference(desk: Desk) -> None:
    desk.log.busy(100)
    await desk.publish(desk.log.entries[:60])
    await desk.publish_raw(1, Outgoing(b"who", b"noise"))
    await desk.publish(desk.log.entries[20:70])
    await desk.publish(desk.log.entries[90:])  # too early
    await desk.publish(desk.log.entries[70:])
    async with desk.worker():
        await desk.folded()
    report = await run(desk, check_only=True)
    assert report.identical
    assert report.foreign == 1


async def test_workers_go_on_during_a_rebuild_and_find_the_new_tables(desk: Desk) -> None:
    desk.log.busy(200)
    await desk.publish()
    async with desk.worker():
        await desk.folded()
        rebuilding = asyncio.create_task(run(desk))
        for seed in range(2, 8):
            before = len(desk.log.entries)
            desk.log.busy(50, seed=seed)
            await desk.publish(desk.log.entries[before:])
        report = await rebuilding
        assert report.identical
        before = len(desk.log.entries)
        desk.log.busy(50, seed=9)
        await desk.publish(desk.log.entries[before:])
        await desk.folded()
        assert await desk.generation() == 2
    assert await desk.balances() == desk.balances_of_log()
    assert (await run(desk, check_only=True)).identical


async def test_tables_that_lag_are_compared_where_they_are_and_replaced_by_the_whole_log(desk: Desk) -> None:
    await folded_once(desk, 100)
    before = len(desk.log.entries)
    desk.log.busy(100, seed=2)
    await desk.publish(desk.log.entries[before:])
    report = await run(desk)
    assert report.identical
    assert await desk.positions() == desk.log.positions
    assert await desk.balances() == desk.balances_of_log()


async def test_tables_that_forgot_where_they_were_are_made_anew(desk: Desk) -> None:
    await folded_once(desk)
    await desk.rows("UPDATE projections.positions_1 SET position = 0, hash = '', next_offset = 0")
    report = await run(desk)
    assert not report.identical
    assert await desk.positions() == desk.log.positions
    assert await desk.balances() == desk.balances_of_log()


async def test_a_reader_who_holds_the_views_delays_the_swap_and_nobody_else(desk: Desk) -> None:
    await folded_once(desk, 60)
    swapping = asyncio.Event()

    def on_progress(progress: Progress) -> None:
        if progress.phase == "swapping":
            swapping.set()

    holder = await asyncpg.connect(desk.dsn)
    holding = holder.transaction()
    await holding.start()
    await holder.fetch("TABLE loyalty.balances")
    rebuilding = asyncio.create_task(
        rebuild(desk.dsn, desk.bootstrap_servers, desk.topics, progress=on_progress, processes=1)
    )
    await swapping.wait()
    for _ in range(20):
        async with asyncio.timeout(READ_SECONDS):
            await desk.rows("SELECT FROM loyalty.history", role="analyst")
    assert not rebuilding.done()
    await holding.rollback()
    assert (await rebuilding).swapped
    await holder.close()


async def test_what_stopped_the_live_tables_does_not_stop_a_rebuild(desk: Desk) -> None:
    desk.log.busy(60)
    await desk.publish()
    folded = dict(desk.log.positions)
    tomorrow, broken = sorted(folded)[:2]
    headers = headers_of(tomorrow, folded[tomorrow] + 1, "loyalty.points.multiplied.v7")
    await desk.publish_raw(tomorrow, Outgoing(None, b"{}", headers))
    await publish_a_header_name_that_is_no_text(desk.bootstrap_servers, desk.topics.points, broken)
    async with desk.worker() as worker:
        alarms = {f"partition {tomorrow}", f"partition {broken}"}
        await eventually(lambda: alarms <= worker.metrics.readiness.waiting.keys(), what="both alarms are up")
        await desk.folded(folded)
        report = await run(desk)
    assert (report.identical, report.swapped) == (True, True)
    assert await desk.positions() == folded
    assert await desk.balances() == desk.balances_of_log()


@asynccontextmanager
async def readers(desk: Desk, wrong: list[object]) -> AsyncIterator[list[int]]:
    """Readers who never pause, and write down every sum that is not right, and how often they looked."""
    looked = [0]
    stopping = asyncio.Event()
    statement = (
        "SELECT (SELECT sum(available) FROM loyalty.balances) AS balances, (SELECT sum(change) FROM loyalty.history) AS"
        " history"
    )

    async def read() -> None:
        async with session(desk.dsn, role="analyst") as analyst:
            while not stopping.is_set():
                row = await analyst.fetchrow(statement)
                looked[0] += 1
                if row is None or row["balances"] != row["history"]:
                    wrong.append(row)

    reading = [asyncio.create_task(read()) for _ in range(3)]
    try:
        yield looked
    finally:
        stopping.set()
        await asyncio.gather(*reading)


async def test_no_reader_sees_anything_wrong_during_a_swap(desk: Desk) -> None:
    await folded_once(desk)
    wrong: list[object] = []
    async with readers(desk, wrong) as looked:
        for _ in range(2):
            assert (await run(desk)).swapped
        now = looked[0]
        await eventually(lambda: looked[0] > now, what="readers go on after the swap")
    assert wrong == []


async def test_a_second_rebuild_at_the_same_time_is_refused(desk: Desk) -> None:
    await folded_once(desk, 40)
    async with session(desk.dsn) as other:
        await other.execute("SELECT pg_advisory_lock(7411010)")
        with pytest.raises(TransientError, match="Another rebuild"):
            await run(desk)


async def test_an_interrupted_rebuild_is_not_in_the_way_of_the_next(desk: Desk) -> None:
    await folded_once(desk)
    reading = asyncio.Event()

    def on_progress(progress: Progress) -> None:
        if progress.phase == "keys":
            reading.set()

    interrupted = asyncio.create_task(
        rebuild(desk.dsn, desk.bootstrap_servers, desk.topics, progress=on_progress, processes=1)
    )
    await reading.wait()
    interrupted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await interrupted
    assert "history_2" in await tables_there(desk)

    async def again() -> bool:
        try:
            return (await run(desk)).swapped
        except TransientError:  # the interrupted one's session is not gone yet
            return False

    await eventually(again, what="the next rebuild goes through")
    assert await desk.balances() == desk.balances_of_log()


async def test_a_log_with_two_histories_is_refused_and_nothing_changes(desk: Desk) -> None:
    desk.log.busy(60)
    await desk.publish()
    async with desk.worker():
        await desk.folded()
    other = PointsLog(shards=desk.log.shards).busy(60, seed=77)
    await desk.publish(other.entries[:8])
    await desk.rows(
        "UPDATE projections.positions_1 SET position = position + 1 WHERE position > 0"
    )  # read on, past them
    with pytest.raises(ReadingFailedError, match="other content"):
        await run(desk)
    assert await desk.generation() == 1


@pytest.mark.parametrize("processes", [1, 2, 3, 9])
def test_partitions_are_shared_out_evenly(processes: int) -> None:
    until = {0: 900, 1: 100, 2: 500, 3: 400, 4: 0}
    shares = share_out(until, processes)
    assert len(shares) <= processes
    assert {partition: position for share in shares for partition, position in share.items()} == until
    if processes == 2:
        assert {sum(share.values()) for share in shares} == {900, 1000}
