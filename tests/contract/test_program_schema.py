"""The JSON Schema that editors use says of a document what `program check` says of its form."""

from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from deploy.reference.__main__ import PROJECT
from services.earning.program.authoring.source import read
from services.earning.program.document import Document

SCHEMA = yaml.safe_load((PROJECT / "docs" / "reference" / "program.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
PROGRAMS = sorted((PROJECT / "deploy" / "programs").glob("*.yaml"))
HEAD = "program: shop\neffective_from: 2027-01-01T00:00:00Z\ncurrency: EUR\ntime_zone: Europe/Berlin\n"


def as_editors_see_it(text: str) -> object:
    """The plain values with numbers as JSON has them."""
    return in_json(read(text.encode()).values)


def in_json(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: in_json(part) for key, part in value.items()}
    return [in_json(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("file", PROGRAMS, ids=lambda file: file.stem)
def test_the_programs_we_ship_are_as_the_schema_says(file: Path) -> None:
    VALIDATOR.validate(as_editors_see_it(file.read_text("utf-8")))


@pytest.mark.parametrize(
    "text",
    [
        "rule: []",
        "rules: [{rate: 1}]",
        "rules: [{id: Base, rate: 1}]",
        "rules: [{id: a, rate: 0}]",
        "rules: [{id: a, rate: '1,5'}]",
        "rules: [{id: a, points: 0}]",
        "rules: [{id: a, points: 1.5}]",
        "rules: [{id: a, rate: 1, minimum: -1}]",
        "rules: [{id: a, rate: 1, only: {skus: x}}]",
        "rules: [{id: a, rate: 1, only: {skus: []}}]",
        "rules: [{id: a, rate: 1, when: {weekdays: [sun]}}]",
        "rules: [{id: a, rate: 1, when: {hours: ['9-10']}}]",
        "campaigns: [{id: a}]",
        "orders: {stacking: all}",
        "basis: {tax: 1}",
        "tiers: {levels: []}",
        "tiers: {levels: [{id: a, threshold: x}]}",
        "tiers: {window: week, levels: [{id: a}]}",
        "orders: {pending: 14}",
        "orders: {pending: {days: 400}}",
        "orders: {caps: {year: 1}}",
        "orders: {caps: {day: 0}}",
        "expiry: {mode: soon}",
        "expiry: {mode: inactivity, months: 1.5}",
        "rewards: [{id: a}]",
        "rewards: {coffee: 100}",
    ],
)
def test_a_mistake_of_form_is_refused_by_both(text: str) -> None:
    with pytest.raises(ValidationError):
        Document.model_validate(read((HEAD + text).encode()).values)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(as_editors_see_it(HEAD + text))
