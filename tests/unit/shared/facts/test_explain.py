"""Decoding, the explanation of a refusal and the published schemas agree on what a fact is: all come from one class."""

import json
from copy import deepcopy
from functools import cache
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from deploy.reference.schemas import fact_schema
from shared.errors import PermanentError
from shared.facts.checking import check_values
from shared.facts.codec import decode
from shared.facts.explain import explain
from shared.facts.fact import FACT_TYPES
from shared.facts.limits import SIZE_MAX_BYTES
from tests.contract.golden_files import FACTS, names, read

UNEXPLAINED = ValueError("by the fast path only")
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


def written(document: object) -> bytes:
    """The document's bytes, where they are within the limit: what lies beyond is told apart before it is read."""
    value = json.dumps(document).encode()
    assume(len(value) <= SIZE_MAX_BYTES)
    return value


def refusal_of(value: bytes) -> PermanentError | None:
    try:
        decode(value)
    except PermanentError as refusal:
        return refusal
    return None


@cache
def validator(fact_type: str) -> jsonschema.Draft202012Validator:
    """By the published schema of a type."""
    return jsonschema.Draft202012Validator(fact_schema(FACT_TYPES[fact_type]))


@settings(max_examples=1_500, deadline=None)
@given(spoiled_facts())
@example(GOLDEN[0])
def test_a_fault_is_explained_exactly_where_decoding_refuses(document: dict[str, Any]) -> None:
    value = written(document)
    refusal = refusal_of(value)
    explained = explain(value, None, UNEXPLAINED)
    if refusal is None:
        assert explained.message == str(UNEXPLAINED), "the slow way finds no fault in what the fast one takes"
    else:
        assert explained.message != str(UNEXPLAINED), "every refusal is explained"
        assert (explained.reason, explained.field) == (refusal.reason, refusal.field)


@settings(max_examples=1_500, deadline=None)
@given(spoiled_facts())
def test_what_is_taken_is_as_its_published_schema_says(document: dict[str, Any]) -> None:
    if refusal_of(written(document)) is None:
        validator(document["type"]).validate(document)


@pytest.mark.parametrize("document", [fact for fact in GOLDEN if fact["type"].startswith("commerce.order.")])
def test_an_orders_check_written_out_does_what_its_fields_ask_for(document: dict[str, Any]) -> None:
    """`Order.check` is faster than the general one: every value that the one refuses, the other does."""
    for path in paths(document["data"]):
        spoiled = deepcopy(document)
        holder(spoiled["data"], path)[path[-1]] = "no such value"
        with pytest.MonkeyPatch.context() as patched:
            value = json.dumps(spoiled).encode()
            by_hand = refusal_of(value)
            patched.setattr(FACT_TYPES[document["type"]], "check", check_values)
            assert repr(by_hand) == repr(refusal_of(value))


REFUND = {"refund_id": "r", "order_id": "o"}
ACTIVITY = {"activity_id": "a", "kind": "k"}
IMPORT = {"batch_id": "b", "row": 1, "points": 1}
BY_FIELD: list[tuple[str, dict[str, Any], str, str]] = [
    ("loyalty.member.claimed.v1", {"from": "a/b"}, "out_of_range", "data.from"),
    ("commerce.order.refunded.v1", REFUND | {"lines": [{}]}, "missing_field", "data.lines[0].line_id"),
    ("commerce.activity.recorded.v1", ACTIVITY | {"attributes": {"": "x"}}, "out_of_range", "data.attributes"),
    ("loyalty.balance.import.v1", IMPORT | {"row": 1.5}, "wrong_type", "data.row"),
    ("loyalty.balance.import.v1", IMPORT | {"row": -1}, "out_of_range", "data.row"),
]


@pytest.mark.parametrize(("fact_type", "data", "reason", "field"), BY_FIELD, ids=[row[3] for row in BY_FIELD])
def test_a_fault_is_told_at_its_field(fact_type: str, data: dict[str, Any], reason: str, field: str) -> None:
    refusal = refusal_of(json.dumps(GOLDEN[0] | {"type": fact_type, "data": data}).encode())
    assert refusal is not None
    assert (refusal.reason, refusal.field) == (reason, field)


ORDER = next(fact for fact in GOLDEN if fact["type"] == "commerce.order.paid.v1")


def test_of_several_faults_the_first_of_the_published_fields_is_told() -> None:
    data = {"lines": [], "currency": "XXX", "order_id": ""}
    refusal = refusal_of(json.dumps(ORDER | {"data": data}).encode())
    assert refusal is not None
    assert refusal.field == "data.order_id"


def test_words_stay_short_however_long_the_fault() -> None:
    data = {"order_id": "o", "currency": "X" * 100_000, "lines": []}
    refusal = refusal_of(json.dumps(ORDER | {"data": data}).encode())
    assert refusal is not None
    assert len(refusal.message) < 400
