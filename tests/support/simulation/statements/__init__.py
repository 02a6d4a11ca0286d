"""The doubles of the services' SQL: a module a file, a function a statement, each under the statement's own name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from shared.postgres import Queries
from tests.support.simulation.postgres import Statement
from tests.support.simulation.statements import (
    backlog,
    earn,
    emit,
    inbox,
    installation,
    models,
    programs,
    recover,
    rederive,
    sessions,
    store,
    sweep,
)

ROOT = Path(__file__).parents[4]
FILES = {
    "services/earning/sql": {
        "backlog": backlog,
        "earn": earn,
        "emit": emit,
        "inbox": inbox,
        "installation": installation,
        "programs": programs,
        "recover": recover,
        "rederive": rederive,
        "sweep": sweep,
    },
    "services/projections/sql": {"store": store},
    "shared/sql": {"sessions": sessions},
}


@cache
def statements() -> dict[str, Statement]:
    """Text, as the services have it in their files, → its double."""
    return {
        Queries(ROOT / folder / f"{file}.sql")[double.name].replace("{generation}", "1"): double
        for folder, files in FILES.items()
        for file, module in files.items()
        for double in module.STATEMENTS
    } | dict(models.by_text())
