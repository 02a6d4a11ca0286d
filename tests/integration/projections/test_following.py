"""A worker on a real Kafka and Postgres: what it folds, what it drops, where it stops."""

from prometheus_client import CollectorRegistry

from shared.broker import Outgoing
from shared.codec import encode_data, headers_of
from shared.point_events import PointsEarned
from tests.eventually import eventually
from tests.integration.projections.kafka_log import publish_a_header_name_that_is_no_text
from tests.integration.projections.projection_rig import Desk
from tests.unit.projections.points_log import Entry, PointsLog

OTHER_SEED = 77


def at(log: PointsLog, shard: int, position: int) -> Entry:
    (entry,) = [entry for entry in log.entries if (entry.shard, entry.position) == (shard, position)]
    return entry


def without(log: PointsLog, left_out: Entry) -> list[Entry]:
    return [entry for entry in log.entries if entry is not left_out]


def busiest(log: PointsLog) -> int:
    return max(log.positions, key=lambda shard: log.positions[shard])


def all_but(log: PointsLog, shard: int, position: int) -> dict[int, int]:
    return {**log.positions, shard: position}


async def test_the_tables_say_what_the_log_says(desk: Desk) -> None:
    desk.log.busy(300)
    await desk.publish()
    async with desk.worker():
        await desk.folded()
    assert await desk.balances() == desk.balances_of_log()
    tables = await desk.tables()
    assert len(tables["history"]) == len(desk.log.entries)
    golden = {name for name, held in desk.log.members.items() if held.tier == "gold"}
    assert {row["member"] for row in await desk.rows("SELECT member FROM loyalty.tiers WHERE tier = 'gold'")} == golden


async def test_each_history_row_has_the_resulting_balance(desk: Desk) -> None:
    desk.log.busy(200)
    await desk.publish()
    async with desk.worker():
        await desk.folded()
    wrong = await desk.rows(
        "SELECT FROM (SELECT balance, sum(change) OVER (PARTITION BY program, member ORDER BY sequence) AS sum"
        " FROM loyalty.history) AS h WHERE balance <> sum"
    )
    assert wrong == []


async def test_a_worker_goes_on_where_the_one_before_stopped(desk: Desk) -> None:
    desk.log.busy(100)
    await desk.publish()
    async with desk.worker():
        await desk.folded()
    before = len(desk.log.entries)
    desk.log.busy(100, seed=2)
    await desk.publish(desk.log.entries[before:])
    async with desk.worker():
        await desk.folded()
    assert await desk.balances() == desk.balances_of_log()


async def test_events_that_come_again_change_nothing(desk: Desk) -> None:
    desk.log.busy(120)
    await desk.publish(desk.log.entries[:80])
    await desk.publish(desk.log.entries[30:])
    await desk.publish(desk.log.entries[60:])
    async with desk.worker(batch=7) as worker:
        await desk.folded()
        await eventually(lambda: lag_told(worker.registry) == 0, what="the lag returns to 0")
    assert await desk.balances() == desk.balances_of_log()
    assert len((await desk.tables())["history"]) == len(desk.log.entries)


def lag_told(registry: CollectorRegistry) -> float:
    lags = [
        sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "tallystick_projections_lag_records"
    ]
    return sum(lags) if lags else -1


async def test_an_offset_that_the_log_lacks_is_only_a_hint(desk: Desk) -> None:
    desk.log.busy(60)
    await desk.publish()
    async with desk.worker():
        await desk.folded()
    await desk.rows("UPDATE projections.positions_1 SET next_offset = 1000000")
    async with desk.worker():
        before = len(desk.log.entries)
        desk.log.busy(60, seed=2)
        await desk.publish(desk.log.entries[before:])
        await desk.folded()
    assert await desk.balances() == desk.balances_of_log()


async def test_what_lies_before_the_offset_is_gone_back_to(desk: Desk) -> None:
    """A log that lost its end, and was given it again without the copies it had, is shorter than the one we knew."""
    desk.log.busy(120)
    await desk.publish(desk.log.entries[:60])
    async with desk.worker():
        await desk.folded(places_of(desk.log.entries[:60]))
    await desk.rows("UPDATE projections.positions_1 SET next_offset = next_offset + 3 WHERE position > 0")
    async with desk.worker():
        await desk.publish(desk.log.entries[60:])
        await desk.folded()
    assert await desk.balances() == desk.balances_of_log()


def places_of(entries: list[Entry]) -> dict[int, int]:
    """Partition → the highest position among entries."""
    return {entry.shard: entry.position for entry in entries}


async def test_a_missing_position_is_waited_for_without_holding_up_others(desk: Desk) -> None:
    desk.log.busy(120)
    shard = busiest(desk.log)
    missing = at(desk.log, shard, 5)
    await desk.publish(without(desk.log, missing))
    async with desk.worker() as worker:
        await desk.folded(all_but(desk.log, shard, 4))
        await eventually(lambda: missing_position(worker.registry, shard) == 5, what="the gap is told")
        # The relay goes back to what is missing, and publishes all that follows again.
        await desk.publish([e for e in desk.log.entries if e.shard == shard and e.position >= 5])
        await desk.folded()
        await eventually(lambda: missing_position(worker.registry, shard) == 0, what="the gap is closed")
    assert await desk.balances() == desk.balances_of_log()


def missing_position(registry: CollectorRegistry, shard: int) -> float:
    return registry.get_sample_value("tallystick_projections_position_missing", {"partition": str(shard)}) or 0.0


async def test_a_gap_is_still_waited_for_after_a_restart(desk: Desk) -> None:
    desk.log.busy(60)
    shard = busiest(desk.log)
    missing = at(desk.log, shard, 3)
    await desk.publish(without(desk.log, missing))
    async with desk.worker():
        await desk.folded(all_but(desk.log, shard, 2))
    async with desk.worker():
        await desk.publish([e for e in desk.log.entries if e.shard == shard and e.position >= 3])
        await desk.folded()
    assert await desk.balances() == desk.balances_of_log()


async def test_other_content_at_a_known_position_stops_that_partition_alone(desk: Desk) -> None:
    desk.log.busy(100)
    shard = busiest(desk.log)
    await desk.publish()
    async with desk.worker() as worker:
        await desk.folded()
        other = PointsLog(shards=desk.log.shards).busy(200, seed=OTHER_SEED)
        await desk.publish([at(other, shard, 2)])
        await eventually(lambda: f"partition {shard}" in worker.metrics.readiness.waiting, what="an alarm is up")
        folded_before = desk.log.positions[shard]
        count = len(desk.log.entries)
        desk.log.busy(60, seed=3)
        await desk.publish(desk.log.entries[count:])
        await desk.folded(all_but(desk.log, shard, folded_before))
        assert "other content" in worker.metrics.readiness.waiting[f"partition {shard}"]


async def test_a_second_history_stops_its_partition_at_the_fork(desk: Desk) -> None:
    desk.log.busy(100)
    other = PointsLog(shards=desk.log.shards).busy(100, seed=OTHER_SEED)
    shard = busiest(desk.log)
    ours = [e for e in desk.log.entries if e.shard != shard or e.position <= 4]
    await desk.publish([*ours, at(other, shard, 5)])
    async with desk.worker() as worker:
        await desk.folded(all_but(desk.log, shard, 4))
        await eventually(lambda: f"partition {shard}" in worker.metrics.readiness.waiting, what="an alarm is up")
        assert "another history" in worker.metrics.readiness.waiting[f"partition {shard}"]


async def test_an_event_of_tomorrow_stops_its_partition_and_says_the_cure(desk: Desk) -> None:
    desk.log.busy(100)
    shard = busiest(desk.log)
    entry = at(desk.log, shard, 6)
    headers = headers_of(shard, 6, "loyalty.points.multiplied.v7")
    changed = [e for e in desk.log.entries if e.shard != shard or e.position < 6]
    await desk.publish(changed)
    await desk.publish_raw(shard, Outgoing(entry.record.key, entry.record.value, headers, entry.record.timestamp_ms))
    async with desk.worker() as worker:
        await desk.folded(all_but(desk.log, shard, 5))
        await eventually(lambda: f"partition {shard}" in worker.metrics.readiness.waiting, what="an alarm is up")
        assert "upgrade this service" in worker.metrics.readiness.waiting[f"partition {shard}"]


async def test_bytes_that_are_no_event_stop_their_partition(desk: Desk) -> None:
    first = desk.log.earn("m1", 10)
    await desk.publish()
    broken = Outgoing(first.record.key, b"{broken", headers_of(first.shard, 2, PointsEarned.TYPE))
    await desk.publish_raw(first.shard, broken)
    async with desk.worker() as worker:
        await desk.folded()
        alarm = f"partition {first.shard}"
        await eventually(lambda: alarm in worker.metrics.readiness.waiting, what="an alarm is up")


async def test_a_record_that_cannot_even_be_handed_over_stops_its_partition_alone(desk: Desk) -> None:
    desk.log.busy(80)
    shard = busiest(desk.log)
    folded = desk.log.positions[shard]
    await desk.publish()
    await publish_a_header_name_that_is_no_text(desk.bootstrap_servers, desk.topics.points, shard)
    before = len(desk.log.entries)
    desk.log.busy(80, seed=2)
    await desk.publish(desk.log.entries[before:])
    async with desk.worker() as worker:
        await desk.folded(all_but(desk.log, shard, folded))
        await eventually(lambda: f"partition {shard}" in worker.metrics.readiness.waiting, what="an alarm is up")
        assert "UnicodeDecodeError" in worker.metrics.readiness.waiting[f"partition {shard}"]


async def test_an_event_that_postgres_refuses_stops_its_partition_after_what_was_before_it(desk: Desk) -> None:
    desk.log.busy(100)
    shard = busiest(desk.log)
    bad = at(desk.log, shard, 7)
    value = bad.record.value or b""
    nul = value.replace(b'"rule":"base"', b'"rule":"\\u0000"').replace(b'"reason":"refund"', b'"reason":"\\u0000"')
    assert nul != value
    await desk.publish([e for e in desk.log.entries if e.shard != shard or e.position < 7])
    await desk.publish_raw(shard, bad.record._replace(value=nul))
    async with desk.worker() as worker:
        await desk.folded(all_but(desk.log, shard, 6))
        await eventually(lambda: f"partition {shard}" in worker.metrics.readiness.waiting, what="an alarm is up")
        assert f"shard {shard}, position 7: can't be stored" in worker.metrics.readiness.waiting[f"partition {shard}"]


async def test_foreign_records_become_dead_letters_and_take_no_position(desk: Desk) -> None:
    desk.log.busy(40)
    shard = busiest(desk.log)
    foreign = Outgoing(b"who", encode_data(desk.log.entries[0].event), [("origin", b"elsewhere")])
    await desk.publish(desk.log.entries[:20])
    await desk.publish_raw(shard, foreign)
    await desk.publish_raw(shard, Outgoing(None, None))
    await desk.publish(desk.log.entries[20:])
    async with desk.worker() as worker:
        await desk.folded()

        async def relayed() -> bool:
            return len(await desk.rows("SELECT FROM projections.dead_letters WHERE relayed_at IS NOT NULL")) == 2

        def told() -> bool:
            name, labels = "tallystick_projections_open_dead_letters", {"reason": "foreign_record"}
            return worker.registry.get_sample_value(name, labels) == 2

        await eventually(relayed, what="both are on the dead-letter topic")
        await eventually(told, what="both are told of as open")
    rows = await desk.rows('SELECT * FROM projections.dead_letters ORDER BY "offset"')
    assert [row["reason"] for row in rows] == ["foreign_record", "foreign_record"]
    assert (rows[0]["partition"], rows[0]["key"], rows[0]["value"]) == (shard, foreign.key, foreign.value)
    assert await desk.balances() == desk.balances_of_log()


async def test_the_log_may_begin_anywhere_and_hold_foreign_offsets(desk: Desk) -> None:
    # Positions are earning's, offsets are Kafka's: they need not be equal.
    for partition in range(desk.log.shards):
        await desk.publish_raw(partition, Outgoing(None, b"noise"))
    desk.log.busy(50)
    await desk.publish()
    async with desk.worker():
        await desk.folded()
    assert await desk.balances() == desk.balances_of_log()
