"""Unit tests mirror the product: whoever changes a module finds its tests in the folder and under the name of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
UNIT = TOP / "tests" / "unit"
MIRRORED = {
    "cli": "services/cli",
    "earning": "services/earning",
    "projections": "services/projections",
    "verify": "services/verify",
    "shared": "shared",
    "deploy": "deploy",
    "simulation": "tests/support/simulation",
}
"""Folder of unit tests → the code that it mirrors."""

OF_NO_MODULE = {
    "deploy/test_alerts.py": "deploy/alerts.yaml is no module",
    "deploy/test_images.py": "the image and the compose file are no modules",
    "earning/decide/test_machine.py": "the whole core beside the second model",
    "earning/decide/test_properties_beyond.py": "of the whole core: reviews, activities, stamps",
    "earning/decide/test_properties_life.py": "of the whole core: a member's life",
    "earning/decide/test_properties_machine.py": "of the whole core: the same on any machine",
    "earning/decide/test_properties_orders.py": "of the whole core: orders",
    "earning/decide/test_rules.py": "that no rule is without a test",
    "earning/decide/test_size.py": "of the whole core: what long histories cost",
    "earning/decide/test_worked_list.py": "that each worked number has its test",
    "earning/decide/test_worked_numbers.py": "the worked numbers of all rules, on core and second model",
    "earning/program/test_any_text.py": "any text, through all that reads a program",
    "earning/source_events/test_any_bytes.py": "any bytes, through all that reads a fact",
    "earning/source_events/test_any_fact.py": "any fact of the schemas, through all that reads one",
    "earning/source_events/test_bad_input.py": "from the bytes of a fact to what is said of it",
    "projections/test_any_record.py": "any record, through all that reads a point event",
    "projections/test_fold.py": "folds of all read models, in one table of cases",
    "shared/facts/test_new_fact.py": "a fact that is declared nowhere but in the test",
    "simulation/test_doubles.py": "cases that the doubles and the real servers share",
    "simulation/test_seeds.py": "whole worlds",
}
"""Test module → why it has no module to be named after."""

pytestmark = pytest.mark.house


def modules_of_tests() -> Iterator[Path]:
    """Every module of unit tests below a folder that mirrors code."""
    for folder in sorted(MIRRORED):
        yield from sorted((UNIT / folder).rglob("test_*.py"))


def mirrors(test: Path) -> bool:
    """Whether a module or package, in the place that the test's folder mirrors, begins its name: `orders_refused`."""
    folder, *rooms = test.parent.relative_to(UNIT).parts
    place = TOP.joinpath(MIRRORED[folder], *rooms)
    subject = test.stem.removeprefix("test_")
    names = [path.stem.strip("_") for path in place.glob("*") if path.suffix == ".py" or path.is_dir()]
    return any(subject == name or subject.startswith(f"{name}_") for name in names if name)


def test_each_module_of_unit_tests_is_named_after_what_it_tests() -> None:
    unnamed = {test.relative_to(UNIT).as_posix() for test in modules_of_tests() if not mirrors(test)}
    assert unnamed == OF_NO_MODULE.keys()
