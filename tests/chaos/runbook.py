"""A runbook that is followed to the letter: what to type is read from the docs, in their order, and none left out."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from services.cli.main import app
from tests.support.databases import fetch

RUNBOOKS = Path(__file__).parents[2] / "docs" / "how-to" / "runbooks.md"

_SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_TYPED = re.compile(
    r"^\$ (?P<command>tallystick [^\n]+?)(?: {2,}#[^\n]*)?$|^```sql\n(?P<query>.+?)^```", re.MULTILINE | re.DOTALL
)


def anchor_of(heading: str) -> str:
    """The anchor that a heading has on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def sections() -> dict[str, str]:
    """Anchor → text of each runbook."""
    return {anchor_of(heading): text for heading, text in _SECTION.findall(RUNBOOKS.read_text("utf-8"))}


class Runbook:
    """One of the runbooks, on the installation that an environment names.

    Words in capitals, like PLACE, are the operator's to fill in.
    """

    def __init__(self, anchor: str, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._left = [found["command"] or found["query"] for found in _TYPED.finditer(sections()[anchor])]

    async def type(self, command: str, *further: str, **words: str) -> Result:
        """Type the runbook's next command, its words in capitals replaced and further options behind; it succeeds."""
        self._next(command)
        return await self.typed(
            self._environment, *(words.get(word, word) for word in shlex.split(command)[1:]), *further
        )

    async def ask(self, dsn: str, **words: str) -> dict[Any, Any]:
        """Ask the runbook's next query of a database, its words in capitals replaced: the first column → the second."""
        query = self._left.pop(0)
        for word, put in words.items():
            query = query.replace(word, put)
        return dict(tuple(row) for row in await fetch(dsn, query))

    def followed(self) -> None:
        """Everything that it says was typed."""
        assert self._left == []

    def _next(self, command: str) -> None:
        assert self._left[:1] == [command], f"wanted to type: {command}"
        del self._left[0]

    @staticmethod
    async def typed(environment: Mapping[str, str], *arguments: str) -> Result:
        """`tallystick` with these arguments; it must end with exit code 0."""
        done: Result = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=dict(environment))
        assert done.exit_code == 0, f"{arguments}: {done.exit_code}\n{done.stdout}\n{done.stderr}"
        return done
