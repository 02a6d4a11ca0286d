"""A fact that is declared nowhere but here is decoded, checked, explained, documented and routed all the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import jsonschema
import msgspec
import pytest
import yaml
from msgspec import Meta

from deploy.reference.asyncapi import asyncapi
from deploy.reference.pages import facts_page
from deploy.reference.schemas import fact_schema
from shared.errors import PermanentError
from shared.facts.builders import Publisher
from shared.facts.codec import decode
from shared.facts.fact import FACT_TYPES, FactData, structured
from shared.facts.routing import head_of, partition_of, topic_of
from shared.facts.values import Id, Instant, Money
from shared.shards import shard_of
from shared.topics import Topics

TYPE = "commerce.deposit.returned.v1"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
GOLDEN = Path(__file__).parents[3] / "contract" / "golden"
SHOP = Publisher("club", "shop")


class Bottle(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A bottle that was brought back."""

    deposit: Annotated[Money, Meta(description="What was paid for it.")]


@pytest.fixture(autouse=True)
def deposit_returned() -> Iterator[type[FactData]]:
    """The class of the new fact; nobody knows it any more afterwards."""

    class DepositReturned(FactData, frozen=True, kw_only=True, omit_defaults=True):
        """Bottles were brought back."""

        TYPE = TYPE
        TOPIC = "activities"

        deposit_id: Annotated[Id, Meta(description="The receipt.")]
        bottles: Annotated[tuple[Bottle, ...], Meta(max_length=50, description="What was brought.")] = ()
        filled_at: Annotated[Instant | None, Meta(description="When they were filled.")] = None

    yield DepositReturned
    del FACT_TYPES[TYPE]
    structured.cache_clear()


def value(**data: object) -> bytes:
    return msgspec.json.encode(SHOP.event(TYPE, {"deposit_id": "d"} | data, id="e", member="ann", time=NOON))


def test_it_is_decoded_in_both_modes_with_its_times_in_utc(deposit_returned: type[FactData]) -> None:
    told = value(bottles=[{"deposit": "0.25"}], filled_at="2026-01-01T01:00:00+01:00")
    said, data = decode(told)
    assert isinstance(data, deposit_returned)
    assert msgspec.structs.asdict(data) == {
        "deposit_id": "d",
        "bottles": (Bottle(deposit="0.25"),),
        "filled_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    document = json.loads(told)
    headers = [(f"ce_{name}", text.encode()) for name, text in document.items() if name != "data"]
    binary, same = decode(json.dumps(document["data"]).encode(), headers)
    assert same == data
    assert (binary.id, binary.subject, binary.time) == (said.id, said.subject, said.time) == ("e", "ann", NOON)


@pytest.mark.parametrize(
    ("data", "reason", "field"),
    [
        ({"deposit_id": ""}, "out_of_range", "data.deposit_id"),
        ({"bottles": [{"deposit": "0.25"}, {"deposit": "much"}]}, "invalid_money", "data.bottles[1].deposit"),
        ({"bottles": [{"deposit": 0.25}]}, "money_not_text", "data.bottles[0].deposit"),
        ({"bottles": [{}]}, "missing_field", "data.bottles[0].deposit"),
        ({"bottles": [{"deposit": "1"}] * 51}, "out_of_range", "data.bottles"),
        ({"filled_at": "2300-01-01T00:00:00Z"}, "invalid_time", "data.filled_at"),
    ],
)
def test_it_is_refused_at_the_field_at_fault(data: dict[str, object], reason: str, field: str) -> None:
    with pytest.raises(PermanentError) as refused:
        decode(value(**data))
    assert (refused.value.reason, refused.value.field) == (reason, field)


def test_it_is_routed() -> None:
    topics = Topics()
    assert topic_of(TYPE, topics) == topics.activities
    assert partition_of(head_of(value()), 8) == shard_of("club", "ann", 8)


def test_it_is_built_as_a_record_of_its_member(deposit_returned: type[FactData]) -> None:
    data = deposit_returned(deposit_id="d")
    record = SHOP.record(data, id="e", member="ann", time=NOON, arrived=NOON)
    assert record.key == b"club/ann"
    assert record.timestamp_ms == NOON.timestamp() * 1000
    assert record.value is not None
    assert decode(record.value, record.headers)[1] == data


def test_it_is_documented(deposit_returned: type[FactData], tmp_path: Path) -> None:
    schema = fact_schema(deposit_returned)
    jsonschema.validate(json.loads(value(bottles=[{"deposit": "0.25"}])), schema, jsonschema.Draft202012Validator)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(value(bottles=[{"deposit": 1}])), schema, jsonschema.Draft202012Validator)
    topics = Topics.model_construct()
    channels = yaml.safe_load(asyncapi(topics))["channels"]
    assert f"fact.{TYPE}".rpartition("/")[2] in channels[topics.activities]["messages"]
    shutil.copytree(GOLDEN / "facts", tmp_path / "facts")
    (tmp_path / "facts" / TYPE).mkdir()
    (tmp_path / "facts" / TYPE / "full.json").write_bytes(value())
    page = facts_page(tmp_path, topics)
    assert f"## `{TYPE}`\n\nBottles were brought back. Topic `commerce.activities`." in page
    assert "| `deposit` | money | required | What was paid for it. |" in page
