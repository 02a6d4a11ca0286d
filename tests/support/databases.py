"""Databases: statements in a session of their own, and further databases of the same server."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg


@asynccontextmanager
async def session(dsn: str, **settings: str) -> AsyncIterator[asyncpg.Connection]:
    """A session for the length of the block."""
    opened = await asyncpg.connect(dsn, server_settings=settings)
    try:
        yield opened
    finally:
        await opened.close()


async def execute(dsn: str, *statements: str) -> None:
    """Run statements, each for itself."""
    async with session(dsn) as opened:
        for statement in statements:
            await opened.execute(statement)


async def fetch(dsn: str, query: str, *arguments: object, **settings: str) -> list[asyncpg.Record]:
    """The rows that a query gives."""
    async with session(dsn, **settings) as opened:
        rows: list[asyncpg.Record] = await opened.fetch(query, *arguments)
        return rows


def name_of(dsn: str) -> str:
    """The name of the database."""
    return urlsplit(dsn).path[1:]


def beside(dsn: str, name: str) -> str:
    """The connection string of another database of the same server."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


@asynccontextmanager
async def copy_of(dsn: str) -> AsyncIterator[str]:
    """The connection string of a copy of a database that nobody is connected to, dropped at the end."""
    name, postgres = f"test_{uuid.uuid4().hex[:10]}", beside(dsn, "postgres")
    await execute(postgres, f"CREATE DATABASE {name} TEMPLATE {name_of(dsn)}")
    try:
        yield beside(dsn, name)
    finally:
        await execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def empty_database(dsn: str) -> AbstractAsyncContextManager[str]:
    """The connection string of a new database on the server of another, dropped at the end."""
    return copy_of(beside(dsn, "template1"))
