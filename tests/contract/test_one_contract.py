"""The hot path's structs and the published pydantic models accept, refuse and understand the same facts."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from services.earning.source_events.codec import decode
from services.earning.source_events.contract import ENVELOPES
from services.earning.source_events.explain import explain
from services.earning.source_events.facts import Fact
from services.earning.source_events.limits import SIZE_MAX_BYTES
from shared.errors import PermanentError
from tests.contract.golden_files import FACTS, names, read

RECEIVED_AT = datetime(2026, 2, 1, tzinfo=UTC)
# What is said of the whole record, before the contract of any type is asked.
BEFORE_ANY_CONTRACT = {"", "specversion", "type"}
GOLDEN = [json.loads(read(FACTS, name)) for name in names(FACTS, "full*.json") + names(FACTS, "least*.json")]

IDS = ["", " ", "x" * 200, "x" * 201, "😀" * 200, "a/b", "a\n", "\x7f", "\x00", "\ud800"]
AMOUNTS = ["0", "1", "19.99", "0.000000", "007", "1.1234567", "1.1234560", "-1", "+1", "1e2", "1.", ".5", " 1", "1\n"]
ODD_AMOUNTS = ["1٣", "9" * 12, "9" * 13, "NaN", "0.0", "1_000", "1,5"]
WORDS = ["EUR", "eur", "XXX", "JPY", "cash", "voucher", "paid", "cancelled", "returned", "1.0", "0.3"]
TIMES = [
    "2026-01-31T15:00:00+01:00",
    "2026-01-31T15:00:00",
    "2026-01-31t15:00:00z",
    "2026-01-31 15:00:00Z",
    "1767225600",
]
ODD_TIMES = ["2026-01-31", "2026-01-31T15:00:60Z", "2026-01-31T15:00:00.1234567Z", "2026-01-31T24:00:00Z"]
EDGES_OF_TIME = ["1969-12-31T23:59:59Z", "2199-12-31T23:59:59-23:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
WHOLE = [0, 1, -1, 2**31, 10**9, 10**9 + 1, 2**53 - 1, 2**53, 2**63, 2**64, 10**30]
BROKEN = [1.0, 1.5, -0.0, 1e300]

texts = st.one_of(
    st.text(max_size=5),
    *map(st.sampled_from, [IDS, AMOUNTS, ODD_AMOUNTS, WORDS, TIMES, ODD_TIMES, EDGES_OF_TIME]),
)
scalars = st.one_of(st.none(), st.booleans(), st.sampled_from(WHOLE), st.sampled_from(BROKEN), texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)


def paths(document: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside a JSON document."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(document, dict):
        inside = list(document.items())
    elif isinstance(document, list):
        inside = list(enumerate(document))
    return [path for step, child in inside for path in [(*so_far, step), *paths(child, (*so_far, step))]]


def holder(document: Any, path: tuple[Any, ...]) -> Any:
    """The object or array in which a path ends."""
    for step in path[:-1]:
        document = document[step]
    return document


@st.composite
def spoiled_facts(draw: st.DrawFn) -> Any:
    """A golden fact with up to three faults: a value dropped, put twice, of another kind, or out of its range."""
    fact = deepcopy(draw(st.sampled_from(GOLDEN)))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(paths(fact)))
        place = holder(fact, path)
        match draw(st.sampled_from(["replace", "replace", "replace", "drop", "add", "repeat"])):
            case "drop":
                del place[path[-1]]
            case "add" if isinstance(place, dict):
                place[draw(texts)] = draw(values)
            case "repeat" if isinstance(place, list):
                place.extend(deepcopy(place[:1]) * draw(st.sampled_from([1, 100, 1000])))
            case _:
                place[path[-1]] = draw(values)
    return fact


def plain(value: Any) -> Any:
    """Structs and models as dicts, so that the values of both can be compared."""
    match value:
        case msgspec.Struct():
            return {field: plain(getattr(value, field)) for field in value.__struct_fields__}
        case BaseModel():
            return {field: plain(getattr(value, field)) for field in type(value).model_fields}
        case tuple() | list():
            return [plain(item) for item in value]
    return value


def written(document: object) -> bytes:
    """The document's bytes, where they are within the limit: what lies beyond is told apart before it is read."""
    value = json.dumps(document).encode()
    assume(len(value) <= SIZE_MAX_BYTES)
    return value


def read_fast(value: bytes) -> Fact | PermanentError:
    try:
        return decode(value, received_at=RECEIVED_AT)
    except PermanentError as refusal:
        return refusal


@settings(max_examples=1_500, deadline=None)
@given(spoiled_facts())
@example(GOLDEN[0])
def test_both_accept_and_refuse_the_same(document: dict[str, Any]) -> None:
    value = written(document)
    read_by_structs = read_fast(value)
    if isinstance(read_by_structs, PermanentError) and read_by_structs.field in BEFORE_ANY_CONTRACT:
        return
    contract = ENVELOPES[document["type"]]
    if isinstance(read_by_structs, PermanentError):
        with pytest.raises(ValidationError):
            contract.model_validate_json(value)
        return
    read_by_models = contract.model_validate_json(value)
    assert plain(read_by_models.data) == plain(read_by_structs.data)
    assert read_by_models.time == read_by_structs.occurred_at


@settings(max_examples=500, deadline=None)
@given(spoiled_facts())
def test_every_refusal_is_explained(document: dict[str, Any]) -> None:
    value = written(document)
    refusal = read_fast(value)
    if isinstance(refusal, PermanentError):
        explained = explain(value, None, ValueError("by the fast path only"))
        assert "by the fast path only" not in explained.message
        assert (explained.reason, explained.field) == (refusal.reason, refusal.field)
