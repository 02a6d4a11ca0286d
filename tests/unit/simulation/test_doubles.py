"""The doubles keep the contract that the real servers keep (tests/integration/simulation runs the same cases)."""

from __future__ import annotations

import pytest

from tests.support.simulation.cases_kafka import KAFKA
from tests.support.simulation.cases_postgres import LOCKS
from tests.support.simulation.cases_statements import STATEMENTS
from tests.support.simulation.servers import Case, Doubles


@pytest.mark.parametrize("case", [*LOCKS, *STATEMENTS, *KAFKA], ids=lambda case: case.__name__)
def test_the_double(case: Case) -> None:
    Doubles().run(case)
