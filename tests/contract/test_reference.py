"""The committed reference is what the code says now, and what it says is so."""

import json
from typing import Any

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from deploy.reference.__main__ import PROJECT, drifted
from deploy.reference.schemas import fact_schema
from shared.facts.fact import FACT_TYPES
from shared.facts.orders import OrderPaid
from shared.reasons import MEANINGS, Reason
from shared.topics import Topics
from tests.contract.golden_files import FACTS, names, read

REFERENCE = PROJECT / "docs" / "reference"


def test_nothing_has_drifted_from_the_code() -> None:
    assert [file.relative_to(PROJECT).as_posix() for file in drifted()] == [], "run `make docs`"


@pytest.mark.parametrize("name", names(FACTS, "full*.json") + names(FACTS, "least*.json"))
def test_a_fact_is_as_its_schema_says(name: str) -> None:
    schema = fact_schema(FACT_TYPES[name.partition("/")[0]])
    jsonschema.validate(json.loads(read(FACTS, name)), schema, jsonschema.Draft202012Validator)


def test_a_schema_refuses_money_as_a_number() -> None:
    fact = json.loads(read(FACTS, "commerce.order.paid.v1/least.json"))
    fact["data"]["lines"][0]["subtotal"] = 19.99
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(fact, fact_schema(OrderPaid), jsonschema.Draft202012Validator)


def test_asyncapi_knows_every_topic_and_its_references_exist() -> None:
    document = yaml.safe_load((REFERENCE / "asyncapi.yaml").read_text(encoding="utf-8"))
    assert set(document["channels"]) == set(Topics.model_construct().all)
    assert missing_references(document) == []


def test_every_reason_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Reason)


def missing_references(document: dict[str, Any]) -> list[str]:
    """References of an AsyncAPI document to parts or files that are not there."""
    registry = Registry().with_resource("", Resource.from_contents(document, DRAFT202012))
    missing = []
    for reference in references(document):
        if reference.startswith("#"):
            # Channels are named by topics, whose dots are plain characters in a pointer.
            registry.resolver().lookup(reference)
        elif not (REFERENCE / reference).exists():
            missing.append(reference)
    return missing


def references(node: Any) -> list[str]:
    match node:
        case dict():
            own = [node["$ref"]] if "$ref" in node else []
            return own + [found for child in node.values() for found in references(child)]
        case list():
            return [found for child in node for found in references(child)]
    return []
