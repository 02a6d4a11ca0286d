"""The deciding transaction: what it takes, what it refuses, and that nothing in it is half done."""

from __future__ import annotations

import asyncio
import hashlib
from itertools import groupby
from typing import Any

import msgspec
import pytest

from services.earning.decide import decide
from services.earning.decide.core.decision import Decision
from services.earning.intake import earn as earn_module
from services.earning.ledger.batch import Counts, FenceMovedBackError
from services.earning.state.standing import BusinessKey, Lot
from shared.reasons import Reason
from tests.integration.earning.earning_rig import BEGAN, TOPIC, Counter, opened, paid, refunded, shard, span


async def test_a_batch_is_applied_and_its_fence_moved(counter: Counter) -> None:
    assert await counter.counted(span([paid("1"), paid("2", member="bob")])) == Counts(applied=2)
    assert (TOPIC, 0, 2) in await counter.fences()
    assert await counter.points("ann") == 10


async def test_a_batch_that_is_read_again_is_no_input(counter: Counter) -> None:
    await counter.earn(span([paid("1"), paid("2")]))
    earned, entries = await counter.earn(span([paid("1"), paid("2")]))
    assert (earned.counts, entries) == ({}, [])
    assert await counter.totals() == (2, 0, 0, 0)


async def test_of_a_batch_that_overlaps_only_what_is_new_is_decided(counter: Counter) -> None:
    await counter.earn(span([paid("1"), paid("2")]))
    assert await counter.counted(span([paid("2"), paid("3")], start=1)) == Counts(applied=1)
    assert (TOPIC, 0, 3) in await counter.fences()
    assert await counter.totals() == (3, 0, 0, 0)


async def test_a_batch_beyond_its_fence_is_refused_and_says_where_to_go_back_to(counter: Counter) -> None:
    await counter.earn(span([paid("1")]))
    with pytest.raises(FenceMovedBackError) as behind:
        await counter.earn(span([paid("3")], start=2))
    assert behind.value.stored == {(TOPIC, 0): 1}
    assert await counter.totals() == (1, 0, 0, 0)


async def test_offsets_may_have_gaps_because_the_fetch_says_where_it_began_and_ended(counter: Counter) -> None:
    await counter.earn(span([paid("1")], end=7))
    assert await counter.counted(span([paid("2")], start=7, end=20)) == Counts(applied=1)
    assert (TOPIC, 0, 20) in await counter.fences()


async def test_a_partition_without_a_fence_is_begun_first(counter: Counter) -> None:
    with pytest.raises(FenceMovedBackError):
        await counter.earn(span([paid("1")], partition=3, topic="a topic never seen"))


async def test_the_same_fact_twice_is_a_duplicate_also_within_a_batch(counter: Counter) -> None:
    assert await counter.counted(span([paid("1"), paid("1")])) == Counts(applied=1, duplicate=1)
    assert await counter.counted(span([paid("1")], start=2)) == Counts(duplicate=1)
    assert await counter.points("ann") == 10


async def test_positions_are_dense_and_the_chain_is_whole_over_batches(counter: Counter) -> None:
    members = [f"m-{number}" for number in range(12)]
    for batch in range(3):
        values = [paid(f"{batch}-{member}", member=member) for member in members]
        await counter.earn(span(values, start=batch * len(values)))
    shards = groupby(await counter.journal(), lambda row: row["shard"])
    for _, rows in shards:
        before = ""
        for position, row in enumerate(rows, start=1):
            data = msgspec.json.decode(row["bytes"])["data"]
            assert (row["position"], data["position"], data.get("chain", "")) == (position, position, before)
            before = hashlib.blake2b(row["bytes"], digest_size=16).hexdigest()
    heads = await counter.session.fetch("SELECT shard, position FROM earning.shards WHERE position > 0")
    assert {row["shard"] for row in heads} == {shard(member) for member in members}
    assert sum(row["position"] for row in heads) == 36


async def test_standings_outlive_the_batch(counter: Counter) -> None:
    await counter.earn(span([paid("1"), paid("2")]))
    await counter.earn(span([refunded("1", "4.00")], start=2))
    assert await counter.points("ann") == 16
    sequences = [msgspec.json.decode(row["bytes"])["data"]["sequence"] for row in await counter.journal()]
    assert sequences == [1, 2, 3]


async def test_what_can_not_be_decoded_is_a_dead_letter_as_it_came(counter: Counter) -> None:
    assert await counter.counted(span([b"nonsense", paid("1"), None])) == Counts(applied=1, dead_letter=2)
    assert await counter.dead_letters() == [(0, Reason.NOT_JSON), (2, Reason.NULL_VALUE)]
    (row,) = await counter.session.fetch('SELECT * FROM earning.dead_letters WHERE "offset" = 0')
    assert (row["value"], row["key"], row["topic"], row["partition"]) == (b"nonsense", b"a key", TOPIC, 0)
    assert row["received_at"] == BEGAN


async def test_an_order_of_another_member_is_a_dead_letter_whatever_their_shards(counter: Counter) -> None:
    assert shard("ann") != shard("cid")
    values = [paid("1", member="ann"), paid("1", member="cid")]
    assert await counter.counted(span(values)) == Counts(applied=1, dead_letter=1)
    assert await counter.counted(span([paid("1", member="cid")], start=2)) == Counts(dead_letter=1)
    assert {reason for _, reason in await counter.dead_letters()} == {Reason.OWNED_BY_ANOTHER_MEMBER}


async def test_an_unknown_program_is_a_dead_letter(counter: Counter) -> None:
    assert await counter.counted(span([paid("1", program="nobody's"), paid("2")])) == Counts(applied=1, dead_letter=1)
    assert await counter.dead_letters() == [(0, Reason.UNKNOWN_PROGRAM)]


async def test_a_fact_that_makes_the_core_fail_is_a_dead_letter_and_the_batch_goes_on(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(versions: Any, standing: Any, rows: Any, fact: Any, decided_at: Any) -> Decision:
        if fact.data.order_id == "poison":
            raise ZeroDivisionError("a fault of ours")
        return decide(versions, standing, rows, fact, decided_at)

    monkeypatch.setattr(earn_module, "decide", failing)
    assert await counter.counted(span([paid("1"), paid("poison"), paid("3")])) == Counts(applied=2, dead_letter=1)
    assert await counter.dead_letters() == [(1, Reason.INTERNAL_ERROR)]
    assert await counter.points("ann") == 20


async def test_a_fact_whose_data_the_database_refuses_is_found_and_the_others_are_decided(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overdrawing(versions: Any, standing: Any, rows: Any, fact: Any, decided_at: Any) -> Decision:
        decision = decide(versions, standing, rows, fact, decided_at)
        if fact.data.order_id == "poison":
            key = BusinessKey(fact.program, fact.source, "order", "poison")
            decision.lots[99] = Lot(99, key, 5, -5, BEGAN, BEGAN)
        return decision

    monkeypatch.setattr(earn_module, "decide", overdrawing)
    poisoned = [paid("1"), paid("poison"), paid("3", member="bob"), b"nonsense"]
    assert await counter.counted(span(poisoned, end=9)) == Counts(applied=2, dead_letter=2)
    assert await counter.dead_letters() == [(1, Reason.INTERNAL_ERROR), (3, Reason.NOT_JSON)]
    assert (TOPIC, 0, 9) in await counter.fences()
    assert await counter.points("ann") == 10


async def test_in_a_batch_a_members_facts_are_decided_in_the_order_in_which_they_were_received(
    counter: Counter,
) -> None:
    # The refund lies in a topic of lower rank and on another partition, and was received first.
    refund = span([refunded("1", "10.00")], partition=1, topic="commands")
    order = span([b"nonsense", paid("1")])
    await counter.earn(order, refund)
    types = [row["type"] for row in await counter.journal()]
    assert types[0] == "loyalty.fact.recorded.v1"
    assert await counter.points("ann") == 0


async def test_two_workers_on_one_shard_take_turns(counter: Counter, dsn: str) -> None:
    other = await opened(dsn)
    try:
        batches = [
            (worker, span([paid(f"{partition}-{number}") for number in range(40)], partition=partition))
            for partition, worker in enumerate((counter, other, counter, other))
        ]
        for first, second in (batches[:2], batches[2:]):
            await asyncio.gather(first[0].earn(first[1]), second[0].earn(second[1]))
    finally:
        await other.session.close()
    positions = [row["position"] for row in await counter.journal()]
    assert positions == list(range(1, 161))
    assert await counter.totals() == (160, 0, 0, 0)
    told = [msgspec.json.decode(row["bytes"])["data"] for row in await counter.journal()]
    assert [data["sequence"] for data in told] == list(range(1, 161))
    assert [data["balances"]["available"] for data in told] == list(range(10, 1610, 10))
