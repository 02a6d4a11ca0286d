"""Exact money: decimal strings on the wire, whole micros (10⁻⁶ of the currency unit) inside; never a float."""

from __future__ import annotations

import re
from functools import lru_cache

from shared.errors import PermanentError
from shared.reasons import Reason

MICROS = 1_000_000
"""Micros in one unit of any currency."""

_AMOUNT = re.compile(r"(\d{1,12})(?:\.(\d+))?\Z", re.ASCII)
_PLACES_MAX = 6


@lru_cache(maxsize=65_536)
def micros(amount: str) -> int:
    """A decimal string of the wire (`"19.99"`) as whole micros (19 990 000).

    Trailing zeros count for nothing. Amounts are never negative and have at most twelve digits before the point.

    Raises:
        PermanentError: `excess_precision` for more than 6 places, `invalid_money` for anything but a plain decimal.
    """
    match = _AMOUNT.match(amount)
    if match is None:
        raise PermanentError(Reason.INVALID_MONEY, f"{amount!r} is not a plain decimal amount such as '19.99'")
    places = (match[2] or "").rstrip("0")
    if len(places) > _PLACES_MAX:
        raise PermanentError(Reason.EXCESS_PRECISION, f"{amount!r} has more than {_PLACES_MAX} decimal places")
    return int(match[1]) * MICROS + int(places.ljust(_PLACES_MAX, "0"))


def decimal(amount_micros: int) -> str:
    """Whole micros as the shortest decimal string: 19 990 000 → `"19.99"`, 5 000 000 → `"5"`."""
    if amount_micros < 0:
        return "-" + decimal(-amount_micros)
    whole, places = divmod(amount_micros, MICROS)
    return f"{whole}.{places:06d}".rstrip("0") if places else str(whole)
