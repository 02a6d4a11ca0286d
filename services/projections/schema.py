"""The schema of projections: migrations, and the files that are applied again whenever their text changes."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from services.projections import generations, store
from services.projections.models import registered
from shared.migrations import Migration, Schema

_HERE = Path(__file__).parent
_VIEW = "view.sql"


def schema() -> Schema:
    """What `deploy.migrate` brings a database to, and what the service wants at its start."""
    functions, reports = (sorted((_HERE / "sql" / folder).glob("*.sql")) for folder in ("functions", "reports"))
    views = [Migration("projections", f"{model.name}/{_VIEW}", _view(model.folder)) for model in registered()]
    return Schema(
        owner="projections",
        migrations=_HERE / "sql" / "migrations",
        # Each may use those before it: a view its functions, a report the views.
        repeatables=(*map(_file, functions), *views, *map(_file, reports)),
        role="loyalty_owner",
        prepare=first_generation,
        fit=fitted,
    )


def _file(file: Path) -> Migration:
    return Migration("projections", f"{file.parent.name}/{file.name}", file.read_text("utf-8"))


def _view(folder: Path) -> str:
    return (folder / _VIEW).read_text("utf-8")


async def first_generation(session: asyncpg.Connection) -> None:
    """Make the tables of the first generation, where there is none yet."""
    if not await generations.there(session):
        generation = await store.current_generation(session)
        await generations.create(session, generation, registered())
        await generations.add_keys(session, generation, registered())


async def fitted(session: asyncpg.Connection, repeatable: Migration) -> str:
    """The text as it is to be applied now: a view over the tables that are shown.

    Nothing, where those lack what this code's view shows: then a rebuild makes the tables, and the view over them.
    """
    for model in registered():
        if repeatable.name == f"{model.name}/{_VIEW}":
            generation = await store.current_generation(session)
            lacking = (await store.lacking_columns(session, generation, [model]))[model.name]
            return model.text("view", generation) if lacking == set() else ""
    return repeatable.text
