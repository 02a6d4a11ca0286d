"""Facts of every released version are still read, in both modes, and come out as the same bytes."""

from datetime import UTC, datetime

import msgspec
import pytest

from services.earning.source_events.codec import decode
from shared.codec import Headers
from shared.facts import codec
from shared.facts.builders import Publisher
from shared.facts.fact import FACT_TYPES
from tests.contract.golden_files import FACTS, names, read, read_binary

RECEIVED_AT = datetime(2026, 2, 1, tzinfo=UTC)


def said_again(value: bytes, headers: Headers = ()) -> bytes:
    said, data = codec.decode(value, headers)
    shop = Publisher(said.program, said.source)
    return shop.encode(data, id=said.id, member=said.subject, time=said.time)


@pytest.mark.parametrize("file", ["full.json", "least.json", "binary.json"])
def test_every_type_has_its_golden_files(file: str) -> None:
    assert {name.removesuffix(f"/{file}") for name in names(FACTS, file)} == set(FACT_TYPES)


@pytest.mark.parametrize("name", names(FACTS, "full*.json") + names(FACTS, "least*.json"))
def test_a_structured_fact_comes_out_as_the_bytes_that_went_in(name: str) -> None:
    value = read(FACTS, name)
    headers = [("content-type", b"application/cloudevents+json; charset=utf-8")]
    assert said_again(value, headers) == value
    assert said_again(value) == value


@pytest.mark.parametrize("name", names(FACTS, "binary*.json"))
def test_a_binary_fact_says_the_same_as_the_structured_one(name: str) -> None:
    headers, value = read_binary(name)
    fact = decode(value, headers, received_at=RECEIVED_AT)
    assert fact == decode(read(FACTS, name.replace("binary", "full")), received_at=RECEIVED_AT)
    assert msgspec.json.encode(fact.data) == value


@pytest.mark.parametrize("fact_type", FACT_TYPES)
def test_its_golden_files_show_every_field_of_a_type(fact_type: str) -> None:
    both = [read(FACTS, f"{fact_type}/{file}.json") for file in ("full", "least")]
    shown = {field for value in both for field in msgspec.to_builtins(decode(value, received_at=RECEIVED_AT).data)}
    assert shown == set(FACT_TYPES[fact_type].__struct_encode_fields__)
