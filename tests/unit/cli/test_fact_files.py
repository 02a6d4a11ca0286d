"""Files of facts: what a survey finds in one, and every bad line named."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.cli.fact_files import FactsInvalidError, lines, survey
from shared.facts.builders import Publisher
from shared.facts.orders import OrderPaid
from shared.topics import Topics

SHOP = Publisher("grocer", "shop")
WHEN = datetime.fromisoformat("2017-03-04T05:06:07-05:00")


def line(**changes: object) -> bytes:
    fact = SHOP.event(OrderPaid.TYPE, {}, id="e-1", member="m-1", time=WHEN) | changes
    return json.dumps({name: value for name, value in fact.items() if value is not None}).encode()


def written(path: Path, *rows: bytes) -> Path:
    path.write_bytes(b"\n".join(rows) + b"\n")
    return path


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
