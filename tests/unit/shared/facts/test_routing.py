"""Each fact to its topic and partition, with the timestamp of when it arrived."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.broker import Outgoing
from shared.facts.builders import record
from shared.facts.routing import head_of, partition_of, topic_of
from shared.topics import Topics

FACT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "shop",
    "type": "commerce.order.paid.v1",
    "subject": "m-1",
    "program": "grocer",
    "time": "2017-03-04T05:06:07-05:00",
    "data": {},
}


def line(**changes: object) -> bytes:
    return json.dumps({name: value for name, value in (FACT | changes).items() if value is not None}).encode()


def record_of(value: bytes, *, history: bool = False) -> Outgoing:
    head = head_of(value)
    return record(value, head.program, head.subject, head.arrived if history else None)


@pytest.mark.parametrize(
    ("event_type", "topic"),
    [
        ("commerce.order.paid.v1", "commerce.orders"),
        ("commerce.order.refunded.v1", "commerce.orders"),
        ("loyalty.member.enrolled.v1", "loyalty.commands"),
    ],
)
def test_a_type_has_its_topic(event_type: str, topic: str) -> None:
    assert topic_of(event_type, Topics()) == topic


def test_a_member_goes_where_kafkas_own_clients_send_the_key() -> None:
    """murmur2 of `grocer/m-1`, as the Java client computes it."""
    head = head_of(line())
    assert partition_of(head, 8) == partition_of(head_of(line(id="e-2", type="commerce.order.cancelled.v1")), 8)
    assert record_of(line()).key == b"grocer/m-1"


def test_bytes_go_through_as_they_are() -> None:
    odd = line().replace(b'"data": {}', b'"data": {"order_id" :  "1", "unknown": 1.50}')
    assert record_of(odd).value == odd


def test_a_live_fact_gets_the_brokers_time_and_history_its_own() -> None:
    own = int(datetime(2017, 3, 4, 10, 6, 7, tzinfo=UTC).timestamp() * 1000)
    assert record_of(line()).timestamp_ms is None
    assert record_of(line(), history=True).timestamp_ms == own


def test_a_late_fact_arrives_when_it_says() -> None:
    late = line(receivedat="2017-03-09T00:00:00Z")
    timestamp_ms = record_of(late, history=True).timestamp_ms
    assert timestamp_ms == int(datetime(2017, 3, 9, tzinfo=UTC).timestamp() * 1000)
