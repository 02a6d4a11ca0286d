"""Bad input: each kind ends as a dead letter with its own reason, its bytes and its origin; its partition goes on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiokafka.producer import message_accumulator
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from services.earning.background import backlog
from shared.broker import Outgoing
from shared.reasons import Reason
from tests.eventually import eventually
from tests.integration.earning.earning_rig import BEGAN, event, paid
from tests.integration.earning.worker import PATIENCE_S, Town, sent

AT_MS = int(BEGAN.timestamp() * 1000)
LINE = {"line_id": "1", "sku": "tea", "quantity": 1, "subtotal": "10.00"}
BINARY = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"b-1"),
    ("ce_source", b"shop-eu"),
    ("ce_type", b"commerce.order.paid.v1"),
    ("ce_subject", b"ann"),
    ("ce_time", BEGAN.isoformat().encode()),
    ("ce_program", b"shop"),
]


def order(**changed: Any) -> bytes:
    data = {"order_id": "x", "currency": "EUR", "lines": [LINE]} | changed
    return event("paid", "x", "ann", "shop", {name: value for name, value in data.items() if value is not None})


def bad_records() -> list[tuple[Reason, Outgoing]]:
    key = b"shop/ann"
    later = msgspec.json.decode(paid("future")) | {"time": "2026-03-01T12:30:00Z"}
    return [
        (Reason.NOT_JSON, Outgoing(key, b"{nonsense")),
        (Reason.NOT_CLOUDEVENTS, Outgoing(key, b'{"hello": "world"}')),
        (Reason.WRONG_TYPE, Outgoing(key, order(order_id=5))),
        (Reason.MISSING_FIELD, Outgoing(key, order(currency=None))),
        (Reason.MONEY_NOT_TEXT, Outgoing(key, order(lines=[LINE | {"subtotal": 9.99}]))),
        (Reason.UNKNOWN_CURRENCY, Outgoing(key, order(currency="XXQ"))),
        (Reason.EXCESS_PRECISION, Outgoing(key, order(lines=[LINE | {"subtotal": "9.1234567"}]))),
        (Reason.UNKNOWN_PROGRAM, Outgoing(key, paid("1", program="nobody's"))),
        (Reason.NULL_VALUE, Outgoing(key, None)),  # what a compacting publisher sends
        (Reason.NULL_KEY, Outgoing(None, paid("1"))),
        (Reason.INVALID_HEADERS, Outgoing(key, paid("1"), [*BINARY[:-1], ("ce_program", b"\xff\xfe")])),
        (Reason.TOO_LARGE, Outgoing(key, order(channel="x" * (2 << 20)))),
        (Reason.OCCURRED_IN_FUTURE, Outgoing(key, msgspec.json.encode(later))),
        (Reason.OWNED_BY_ANOTHER_MEMBER, Outgoing(b"shop/bob", paid("good", member="bob"))),
    ]


async def test_every_kind_of_bad_input_is_a_dead_letter_and_its_partition_goes_on(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "LOOK_EVERY_S", 0.1)
    bad = bad_records()
    good = Outgoing(b"shop/ann", paid("good"))
    records = [good, *(record for _, record in bad), Outgoing(b"shop/ann", paid("last"))]
    timed = [record._replace(timestamp_ms=AT_MS + at) for at, record in enumerate(records)]
    await town.publish({2: timed})
    async with town.worker() as worker:
        await town.decided(len(records))
        assert await town.totals() == (2, 0, 0, len(bad))

        rows = await town.fetch('SELECT "offset", reason, value FROM earning.dead_letters ORDER BY 1')
        assert [(offset, reason) for offset, reason, _ in rows] == [
            (at, reason) for at, (reason, _) in enumerate(bad, start=1)
        ]
        assert [value for _, _, value in rows] == [record.value for _, record in bad]

        async def relayed() -> bool:
            return await town.fetch("SELECT count(*) FROM earning.dead_letters WHERE relayed_at IS NULL") == [(0,)]

        await eventually(relayed, what="the dead letters are on their topic", seconds=PATIENCE_S)

        def open_ones() -> float | None:
            return worker.registry.get_sample_value("tallystick_earning_open_dead_letters", {"reason": "not_json"})

        await eventually(lambda: open_ones() == 1, what="it is told how many are open")
        await town.execute("UPDATE earning.dead_letters SET discarded_at = now(), discarded_why = 'a test'")
        await eventually(lambda: open_ones() is None, what="it is told that none is open")
    published = await town.log(town.topics.dead_letters)
    said = ("topic", "partition", "offset", "reason")
    assert [tuple(dict(one.headers)[f"dead-letter-{name}"].decode() for name in said) for one in published] == [
        (town.topics.orders, "2", str(at), reason) for at, (reason, _) in enumerate(bad, start=1)
    ]
    assert [one.value for one in published] == [record.value for _, record in bad]


class NoText(str):
    """A header's name as a client in another language may write it."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return b"\xff\xfe"


async def test_a_record_that_can_not_even_be_handed_over_stops_its_partition_alone(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.publish({0: sent([paid(f"before-{at}") for at in range(5)], timestamp_ms=AT_MS)})
    with monkeypatch.context() as patch:
        patch.setattr(message_accumulator, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
        await town.publish({0: [Outgoing(b"shop/ann", paid("never"), [(NoText("x"), b"")], AT_MS)]})
    await town.publish({1: sent([paid(f"beside-{at}") for at in range(5)], timestamp_ms=AT_MS)})
    async with town.worker(batch=4) as worker:
        await town.decided(10)
        alarm = f"{town.topics.orders}/0"
        await eventually(lambda: alarm in worker.readiness.waiting, what="the alarm is raised", seconds=PATIENCE_S)
        await town.publish({1: sent([paid("later")], timestamp_ms=AT_MS)})
        await town.decided(11)
        assert "offset 5" in worker.readiness.waiting[alarm]


async def test_binary_mode_is_as_good_as_structured(town: Town) -> None:
    body = msgspec.json.encode({"order_id": "b", "currency": "EUR", "lines": [LINE]})
    await town.publish({0: [Outgoing(b"shop/ann", body, BINARY, AT_MS)]})
    async with town.worker():
        await town.decided(1)
    assert await town.totals() == (1, 0, 0, 0)
