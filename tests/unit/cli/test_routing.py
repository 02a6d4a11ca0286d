"""Files of facts: each line to its topic, partition and timestamp; every bad line named."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.cli.routing import FactsInvalidError, head_of, lines, outgoing, partition_of, survey, topic_of
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


def written(path: Path, *rows: bytes) -> Path:
    path.write_bytes(b"\n".join(rows) + b"\n")
    return path


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
    assert outgoing(line(), head, history=False).key == b"grocer/m-1"


def test_bytes_go_through_as_they_are() -> None:
    odd = line().replace(b'"data": {}', b'"data": {"order_id" :  "1", "unknown": 1.50}')
    assert outgoing(odd, head_of(odd), history=False).value == odd


def test_a_live_fact_gets_the_brokers_time_and_history_its_own() -> None:
    head = head_of(line())
    own = int(datetime(2017, 3, 4, 10, 6, 7, tzinfo=UTC).timestamp() * 1000)
    assert outgoing(line(), head, history=False).timestamp_ms is None
    assert outgoing(line(), head, history=True).timestamp_ms == own


def test_a_late_fact_arrives_when_it_says() -> None:
    late = line(receivedat="2017-03-09T00:00:00Z")
    timestamp_ms = outgoing(late, head_of(late), history=True).timestamp_ms
    assert timestamp_ms == int(datetime(2017, 3, 9, tzinfo=UTC).timestamp() * 1000)


def test_a_survey_counts_by_topic_and_knows_the_span(tmp_path: Path) -> None:
    file = written(
        tmp_path / "facts.jsonl",
        line(),
        b"",
        line(id="e-2", time="2018-01-01T00:00:00Z"),
        line(id="e-3", type="loyalty.member.enrolled.v1"),
    )
    found = survey(file, Topics(), lambda _: None)
    assert (found.facts, dict(found.by_topic)) == (3, {"commerce.orders": 2, "loyalty.commands": 1})
    assert found.newest["commerce.orders"] == datetime(2018, 1, 1, tzinfo=UTC)
    assert [number for number, _ in lines(file)] == [1, 3, 4]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"not json", "JSON is malformed"),
        (line(subject=None), "`subject`"),
        (line(program=""), "$.program"),
        (line(time="2017-03-04T05:06:07"), "$.time"),
        (line(type="commerce.order.payed.v1"), "did you mean commerce.order.paid.v1?"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, bad: bytes, said: str) -> None:
    file = written(tmp_path / "facts.jsonl", line(), bad)
    with pytest.raises(FactsInvalidError) as caught:
        survey(file, Topics(), lambda _: None)
    assert f"{file}:2: " in str(caught.value)
    assert said in str(caught.value)
