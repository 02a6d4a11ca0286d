"""The doubles of the services' SQL: a module a file, a function a statement, each under the statement's own name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from shared.postgres import Queries
from tests.simulation.postgres import Statement
from tests.simulation.statements import earn, emit, inbox, installation, programs, recover, rederive, store

SERVICES = Path(__file__).parents[3] / "services"
EARNING = {
    "earn": earn,
    "emit": emit,
    "inbox": inbox,
    "installation": installation,
    "programs": programs,
    "recover": recover,
    "rederive": rederive,
}
PROJECTIONS = {"store": store}


@cache
def statements() -> dict[str, Statement]:
    """Text, as the services have it in their files, → its double."""
    return {
        Queries(SERVICES / service / "sql" / f"{file}.sql")[double.name].replace("{generation}", "1"): double
        for service, files in (("earning", EARNING), ("projections", PROJECTIONS))
        for file, module in files.items()
        for double in module.STATEMENTS
    }
