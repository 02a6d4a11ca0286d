"""The doubles of the services' SQL: a module a file, a function a statement, each under the statement's own name."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from shared.postgres import Queries
from tests.support.simulation.postgres import Statement
from tests.support.simulation.statements import models

ROOT = Path(__file__).parents[4]
FOLDERS = ("services/earning/sql", "services/projections/sql", "shared/sql")
"""Where the files are; a module is the double of the first that has its name."""


@cache
def statements() -> dict[str, Statement]:
    """Text, as the services have it in their files, → its double."""
    files = {file.stem: file for folder in reversed(FOLDERS) for file in (ROOT / folder).glob("*.sql")}
    found = dict(models.by_text())
    for name in sorted(files.keys() & {module.name for module in iter_modules(__path__)}):
        queries = Queries(files[name])
        doubles: list[Statement] = import_module(f"{__name__}.{name}").STATEMENTS
        found |= {queries[double.name].replace("{generation}", "1"): double for double in doubles}
    return found
