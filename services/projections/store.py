"""The store: folded rows into the tables of a generation, by COPY; and the fences beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import asyncpg
import msgspec

from services.projections.models import Model, Rows, StateModel, Values, registered
from services.projections.positions import Fence, Received, other_content
from shared.errors import ConfigurationError
from shared.postgres import Queries

SCHEMA = "projections"
_QUERIES = Queries(Path(__file__).parent / "sql" / "store.sql")


class GenerationChangedError(Exception):
    """A rebuild has put newer tables in place: read which, and go on with them."""


@cache
def statement(name: str, generation: int) -> str:
    """A statement of `store.sql`, for the tables of a generation."""
    return _QUERIES.filled(name, generation=generation)


async def current_generation(session: asyncpg.Connection) -> int:
    """The generation that the views show."""
    generation: int = await session.fetchval(_QUERIES["current_generation"])
    return generation


async def settle_partitions(session: asyncpg.Connection, partitions: int) -> None:
    """Note at the first start how many partitions the points topic has, and give each its fence.

    Raises:
        ConfigurationError: the number is not the one noted at the first start.
    """
    async with session.transaction():
        await session.execute(_QUERIES["set_partitions"], partitions)
        (row,) = await session.fetch(_QUERIES["installation"])
        if row["partitions"] != partitions:
            raise ConfigurationError(
                f"The points topic has {partitions} partitions; these read models were made from {row['partitions']}.",
                cure="Their number is fixed for the life of an installation: name the right topic and database.",
            )
        await session.execute(statement("add_positions", row["current"]), partitions)


async def read_fences(session: asyncpg.Connection, generation: int) -> dict[int, Fence]:
    """Every partition's fence, without a lock.

    Raises:
        GenerationChangedError: these tables are gone.
    """
    try:
        rows = await session.fetch(statement("read_positions", generation))
    except asyncpg.UndefinedTableError as error:
        raise GenerationChangedError from error
    return {row["partition"]: Fence(*row) for row in rows}


async def lock_fences(session: asyncpg.Connection, generation: int, partitions: Iterable[int]) -> dict[int, Fence]:
    """Lock the partitions' fences, in order, until the transaction ends.

    Raises:
        GenerationChangedError: these tables are not the newest any more.
        ConfigurationError: a partition has no fence: the topic has more partitions than it had.
    """
    wanted = sorted(partitions)
    try:
        rows = await session.fetch(statement("lock_positions", generation), wanted)
    except asyncpg.UndefinedTableError as error:
        raise GenerationChangedError from error
    if any(row["successor"] is not None for row in rows):
        raise GenerationChangedError
    fences = {row["partition"]: Fence(*row[:4]) for row in rows}
    if missing := set(wanted) - fences.keys():
        raise ConfigurationError(
            f"Partitions {sorted(missing)} of the points topic are new.",
            cure="Their number is fixed for the life of an installation: restore the topic as it was.",
        )
    return fences


async def move_fences(session: asyncpg.Connection, generation: int, fences: Sequence[Fence]) -> None:
    """Write how far partitions (one at least) are folded now."""
    columns = zip(*map(msgspec.structs.astuple, fences), strict=True)
    await session.execute(statement("move_positions", generation), *map(list, columns))


async def lacking_columns(
    session: asyncpg.Connection, generation: int, models: Iterable[Model]
) -> dict[str, set[str] | None]:
    """By read model: columns of its fold that its table doesn't have; None: the generation has no such table."""
    columns = {model.name: set(model.columns) for model in models}
    rows = await session.fetch(statement("columns", generation), list(columns))
    found = {row["name"]: set(row["columns"]) for row in rows}
    return {name: wanted - found[name] if found[name] else None for name, wanted in columns.items()}


async def models_of(session: asyncpg.Connection, generation: int) -> tuple[Model, ...]:
    """The read models that a generation has; one that is newer than its tables waits for the next rebuild.

    Raises:
        GenerationChangedError: these tables are gone.
        ConfigurationError: a table is older than this code's fold.
    """
    lacking = await lacking_columns(session, generation, registered())
    if all(columns is None for columns in lacking.values()):
        raise GenerationChangedError
    if old := {name: columns for name, columns in lacking.items() if columns}:
        raise ConfigurationError(
            f"Read models are older than this code: {', '.join(f'{n} lacks {sorted(c)}' for n, c in old.items())}.",
            cure="Run `tallystick rebuild`; it makes them anew.",
        )
    return tuple(model for model in registered() if lacking[model.name] is not None)


async def prepare_session(session: asyncpg.Connection, generation: int) -> tuple[Model, ...]:
    """Make the session's temporary tables, the way of changed rows into the upsert; gives the models to fold into.

    Raises:
        GenerationChangedError: these tables are gone.
        ConfigurationError: a table is older than this code's fold.
    """
    models = await models_of(session, generation)
    try:
        for model in models:
            if isinstance(model, StateModel):
                await session.execute(create_changed_statement(model, generation))
    except asyncpg.UndefinedTableError as error:
        raise GenerationChangedError from error
    return models


@cache
def create_changed_statement(model: Model, generation: int) -> str:
    """The statement that makes the temporary table of a model's changed rows."""
    return _QUERIES.filled("create_changed", table=model.name, generation=generation)


async def append(session: asyncpg.Connection, generation: int, model: Model, rows: Sequence[Values]) -> None:
    """Copy rows that are new into a model's table."""
    await session.copy_records_to_table(
        f"{model.name}_{generation}", schema_name=SCHEMA, records=rows, columns=model.columns
    )


async def save(session: asyncpg.Connection, generation: int, folded: Iterable[Rows]) -> None:
    """Append the rows of events, and put the rows of states in place of those that are there."""
    for rows in folded:
        if appended := rows.take_appended():
            await append(session, generation, rows.model, appended)
        if changed := rows.changed():
            model = rows.model
            await session.copy_records_to_table(f"changed_{model.name}", records=changed, columns=model.columns)
            await session.execute(save_statement(model, generation))


@cache
def save_statement(model: Model, generation: int) -> str:
    """The statement that puts a model's changed rows in place of those that are there."""
    return model.text("save", generation)


async def check_known(session: asyncpg.Connection, generation: int, records: Sequence[Received]) -> None:
    """Check that records seen again are the very bytes that were folded.

    Raises:
        ForkError: one isn't.
    """
    events = [(record, record.event.data) for record in records if record.event is not None]
    row = await session.fetchrow(
        statement("find_fork", generation),
        [data.shard for _, data in events],
        [data.position for _, data in events],
        [data.program for _, data in events],
        [data.member for _, data in events],
        [data.sequence for _, data in events],
        [record.hash for record, _ in events],
    )
    if row is not None:
        raise other_content(row["partition"], row["position"])
