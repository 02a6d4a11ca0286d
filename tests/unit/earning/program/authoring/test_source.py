"""The source of a document: exact values at their places, and nothing of YAML that a program doesn't need."""

from decimal import Decimal

import pytest

from services.earning.program.authoring.source import DEPTH_MAX, SIZE_MAX, read
from services.earning.program.problems import Mark, ProgramInvalidError


def test_numbers_keep_the_digits_they_were_written_with() -> None:
    values = read(b"a: 1.10\nb: 0.1\nc: 12345678901234567890.123456789\nd: 7\n").values
    assert values == {"a": Decimal("1.10"), "b": Decimal("0.1"), "c": Decimal("12345678901234567890.123456789"), "d": 7}
    assert isinstance(values, dict)
    assert str(values["a"]) == "1.10"


@pytest.mark.parametrize(
    "text", ["no", "NO", "yes", "on", "off", "1:30", "0x1f", "010", "1_000", "1e3", ".5", "2027-01-01"]
)
def test_what_looks_like_text_is_text(text: str) -> None:
    assert read(f"a: {text}".encode()).values == {"a": text}


def test_null_and_truth_are_what_they_say() -> None:
    assert read(b"{a: true, b: false, c: null, d: ~, e: }").values == {
        "a": True,
        "b": False,
        "c": None,
        "d": None,
        "e": None,
    }


def test_every_value_and_key_has_its_place() -> None:
    source = read(b"rules:\n  - id: base\n    rate: 1\n")
    assert source.mark(("rules", 0, "rate")) == Mark(3, 11)
    assert source.key_mark(("rules", 0, "rate")) == Mark(3, 5)
    assert source.mark(("rules", 0, "missing")) == Mark(2, 5), "what is missing is reported at the part around it"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (b"a: 1\na: 2", 2, "there twice"),
        (b"a: &x 1\nb: *x", 2, "alias *x"),
        (b"a: 1\nb: !!python/name:os.system x", 2, "tag"),
        (b"a: !!float 1", 1, "tag"),
        (b"a: 1\n---\nb: 2", 2, "not YAML"),
        (b"a: [1, 2", 1, "not YAML"),
        (b"a: b: c", 1, "not YAML"),
        (b"a:\n\t- b", 2, "not YAML"),
        (b"a: 1\n? [b]\n: 2", 2, "a key must be a word"),
        (b"a: 1\nb: \xff", 2, "not UTF-8"),
        (b"a: 1\nb: \x00", 2, "U+0000"),
        (b"", 1, "empty"),
        (b"# nothing", 1, "empty"),
        (b"a: " + b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), 1, "nested deeper"),
        (b"a" * (SIZE_MAX + 1), 1, "bytes"),
    ],
)
def test_what_a_program_does_not_need_is_refused_at_its_line(text: bytes, line: int, message: str) -> None:
    with pytest.raises(ProgramInvalidError) as refused:
        read(text)
    (problem,) = refused.value.problems
    assert problem.mark.line == line
    assert message in problem.message
    assert problem.cure


def test_a_number_of_thousands_of_digits_is_no_reason_to_fail() -> None:
    assert read(b"a: " + b"9" * 6000).values == {"a": Decimal("9" * 6000)}


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read(b"\xef\xbb\xbfa: 1").values == {"a": 1}
