"""The registry of read models: each is whole, and says of its table what its files say."""

import re
from collections import Counter

import pytest

from services.projections.models import EventModel, Model, StateModel, load, registered
from shared.errors import ConfigurationError


@pytest.fixture(params=registered(), ids=lambda model: str(model.name))
def model(request: pytest.FixtureRequest) -> Model:
    """Each of the registered models."""
    found: Model = request.param
    return found


def test_names_are_given_once() -> None:
    assert set(Counter(model.name for model in registered()).values()) == {1}


def test_a_process_of_a_rebuild_finds_the_model_by_its_package(model: Model) -> None:
    assert load(model.package) is model


def test_a_package_without_a_model_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"services.projections.positions declares no read model"):
        load("services.projections.positions")


def test_its_table_has_the_columns_of_its_fold_and_its_key(model: Model) -> None:
    table = model.text("table", 7)
    assert f"CREATE TABLE projections.{model.name}_7 (" in table
    columns = set(re.findall(r"^    (\w+) ", table, re.MULTILINE))
    assert {*model.columns, *model.key} <= columns


def test_its_key_has_program_and_partition_so_that_no_row_is_written_by_two(model: Model) -> None:
    assert {"program", "partition"} <= set(model.key)


def test_its_view_stands_over_the_generation_that_is_shown(model: Model) -> None:
    assert f"FROM projections.{model.name}_7" in model.text("view", 7)


def test_only_rows_of_states_are_saved_over_others(model: Model) -> None:
    assert isinstance(model, StateModel | EventModel)
    assert (model.folder / "save.sql").exists() == isinstance(model, StateModel)
