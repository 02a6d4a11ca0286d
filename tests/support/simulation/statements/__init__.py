"""The doubles of the services' SQL: a module a file, a function a statement, each under the statement's own name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from shared.postgres import Queries
from tests.support.simulation.postgres import Statement
from tests.support.simulation.statements import (
    backlog,
    dead_letters,
    emissions,
    fences,
    holds,
    inbox,
    installation,
    journal,
    leases,
    models,
    programs,
    rows,
    sessions,
    shards,
    store,
    sweep,
)

ROOT = Path(__file__).parents[4]
FILES = {
    "services/earning/sql": {
        "backlog": backlog,
        "dead_letters": dead_letters,
        "emissions": emissions,
        "fences": fences,
        "holds": holds,
        "inbox": inbox,
        "installation": installation,
        "journal": journal,
        "leases": leases,
        "programs": programs,
        "rows": rows,
        "shards": shards,
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
