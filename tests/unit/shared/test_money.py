"""Money is exact decimal text on the wire and whole micros inside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.currencies import PLACES
from shared.errors import PermanentError
from shared.money import decimal, micros
from shared.reasons import Reason


@pytest.mark.parametrize(
    ("text", "amount"),
    [("19.99", 19_990_000), ("0", 0), ("0.000001", 1), ("007", 7_000_000), ("1.1000000000", 1_100_000)],
)
def test_a_plain_decimal_is_read_exactly(text: str, amount: int) -> None:
    assert micros(text) == amount


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.", ".5", "1e2", " 1", "1\n", "1,5", "\u0661", "NaN", "1" * 13])
def test_anything_else_is_invalid(text: str) -> None:
    with pytest.raises(PermanentError) as refused:
        micros(text)
    assert refused.value.reason == Reason.INVALID_MONEY


def test_more_than_six_places_are_refused() -> None:
    with pytest.raises(PermanentError) as refused:
        micros("0.0000001")
    assert refused.value.reason == Reason.EXCESS_PRECISION


@given(st.integers(0, 10**18 - 1))
def test_what_is_written_is_read_back(amount: int) -> None:
    assert micros(decimal(amount)) == amount


@pytest.mark.parametrize(("amount", "text"), [(19_990_000, "19.99"), (5_000_000, "5"), (-500_000, "-0.5"), (0, "0")])
def test_amounts_are_written_as_short_as_can_be(amount: int, text: str) -> None:
    assert decimal(amount) == text


@pytest.mark.parametrize(("code", "places"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("HRK", 2)])
def test_currencies_have_their_places(code: str, places: int) -> None:
    assert PLACES[code] == places


@pytest.mark.parametrize("code", ["XXX", "XAU", "EURO", "eur", ""])
def test_metals_tests_and_inventions_are_no_currencies(code: str) -> None:
    assert code not in PLACES
