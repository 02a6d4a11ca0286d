"""Point events of every released version are still read, and come out as the same bytes."""

import json

import jsonschema
import msgspec
import pytest

from deploy.reference.schemas import point_event_schema
from shared.codec import decoder_of, encode_data
from shared.point_events import EVENT_TYPES
from tests.contract.golden_files import POINT_EVENTS, names, read


@pytest.mark.parametrize("file", ["full.json", "least.json"])
def test_every_type_has_its_golden_files(file: str) -> None:
    assert {name.removesuffix(f"/{file}") for name in names(POINT_EVENTS, file)} == set(EVENT_TYPES)


@pytest.mark.parametrize("name", names(POINT_EVENTS))
def test_an_event_comes_out_as_the_bytes_that_went_in(name: str) -> None:
    value = read(POINT_EVENTS, name)
    event = decoder_of(name.partition("/")[0]).decode(value)
    assert encode_data(event.data) == value


@pytest.mark.parametrize("name", names(POINT_EVENTS))
def test_an_event_is_as_its_schema_says(name: str) -> None:
    schema = point_event_schema(EVENT_TYPES[name.partition("/")[0]])
    jsonschema.validate(json.loads(read(POINT_EVENTS, name)), schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("name", names(POINT_EVENTS, "full.json"))
def test_the_full_golden_file_shows_every_field(name: str) -> None:
    event_type = name.partition("/")[0]
    data = msgspec.json.decode(read(POINT_EVENTS, name))["data"]
    assert set(EVENT_TYPES[event_type].__struct_fields__) - set(data) <= {"postings"}


@pytest.mark.parametrize("name", names(POINT_EVENTS, "full.json"))
def test_postings_add_up_to_nothing(name: str) -> None:
    assert sum(msgspec.json.decode(read(POINT_EVENTS, name))["data"].get("postings", {}).values()) == 0
