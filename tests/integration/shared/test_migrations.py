"""Migrations on a real database: each once, in order, never changed; repeatables again whenever their text changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from shared import migrations
from shared.errors import ConfigurationError
from shared.migrations import Migration, Schema
from tests.support.databases import fetch

VIEW = "CREATE OR REPLACE VIEW public.doubled AS SELECT number * {factor} AS number FROM public.numbers"
SUM = "CREATE OR REPLACE VIEW public.summed AS SELECT sum(number) AS number FROM public.doubled"


def schema(folder: Path, repeatables: Sequence[tuple[str, str]] = (), **migrations: str) -> Schema:
    """A schema with these files."""
    folder.mkdir(exist_ok=True)
    for name, text in migrations.items():
        (folder / f"{name}.sql").write_text(text, "utf-8")
    return Schema("ours", folder, tuple(Migration("ours", name, text) for name, text in repeatables))


async def applied(dsn: str, ours: Schema) -> list[str]:
    return [migration.name for migration in await migrations.migrate(dsn, [ours])]


async def value(dsn: str, statement: str) -> object:
    ((found,),) = await fetch(dsn, statement)
    return found


async def test_a_migration_is_applied_once_and_those_that_came_since(dsn: str, tmp_path: Path) -> None:
    first = schema(tmp_path / "sql", _1="CREATE TABLE public.numbers (number int)")
    assert await applied(dsn, first) == ["_1.sql"]
    assert await applied(dsn, first) == []
    further = schema(tmp_path / "sql", _2="INSERT INTO public.numbers VALUES (4)")
    with pytest.raises(ConfigurationError, match=r"older than this code: ours/_2.sql"):
        await migrations.check(dsn, [further])
    assert await applied(dsn, further) == ["_2.sql"]
    await migrations.check(dsn, [further])
    assert await value(dsn, "SELECT number FROM public.numbers") == 4


async def test_a_migration_that_changed_after_it_was_applied_is_refused(dsn: str, tmp_path: Path) -> None:
    await applied(dsn, schema(tmp_path / "sql", _1="CREATE TABLE public.numbers (number int)"))
    changed = schema(tmp_path / "sql", _1="CREATE TABLE public.numbers (number bigint)")
    for refused in (migrations.check, migrations.migrate):
        with pytest.raises(ConfigurationError, match=r"have changed: ours/_1.sql"):
            await refused(dsn, [changed])


async def test_a_database_that_is_newer_than_the_code_is_refused(dsn: str, tmp_path: Path) -> None:
    await applied(dsn, schema(tmp_path / "new", _1="SELECT 1", _2="SELECT 2"))
    with pytest.raises(ConfigurationError, match=r"newer than this code: it has ours/_2.sql"):
        await migrations.check(dsn, [schema(tmp_path / "old", _1="SELECT 1")])


async def test_repeatables_are_applied_in_order_and_again_when_their_text_changes(dsn: str, tmp_path: Path) -> None:
    files = {"_1": "CREATE TABLE public.numbers (number int)", "_2": "INSERT INTO public.numbers VALUES (4), (5)"}
    both = schema(tmp_path / "sql", [("view.sql", VIEW.format(factor=2)), ("sum.sql", SUM)], **files)
    assert await applied(dsn, both) == ["_1.sql", "_2.sql", "view.sql", "sum.sql"]
    assert await applied(dsn, both) == []
    assert await value(dsn, "SELECT number FROM public.summed") == 18
    changed = schema(tmp_path / "sql", [("view.sql", VIEW.format(factor=3)), ("sum.sql", SUM)])
    with pytest.raises(ConfigurationError, match=r"older than this code: ours/view.sql"):
        await migrations.check(dsn, [changed])
    assert await applied(dsn, changed) == ["view.sql"]
    assert await value(dsn, "SELECT number FROM public.summed") == 27
    await migrations.check(dsn, [changed])


async def test_a_repeatable_that_is_no_more_is_nothing_newer(dsn: str, tmp_path: Path) -> None:
    await applied(dsn, schema(tmp_path / "sql", [("one.sql", "SELECT 1")], _1="SELECT 1"))
    await migrations.check(dsn, [schema(tmp_path / "sql")])


async def test_what_an_owner_brings_is_applied_whole_or_not_at_all(dsn: str, tmp_path: Path) -> None:
    broken = schema(tmp_path / "sql", [("sum.sql", SUM)], _1="CREATE TABLE public.numbers (number int)")
    with pytest.raises(asyncpg.UndefinedTableError, match=r"public.doubled"):
        await applied(dsn, broken)
    assert await value(dsn, "SELECT to_regclass('public.numbers')") is None
    assert await applied(dsn, schema(tmp_path / "sql")) == ["_1.sql"]
