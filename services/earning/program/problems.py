"""Problems of a program's document: what is wrong, where, and the cure; all of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from shared.errors import TallystickError

Path = tuple[str | int, ...]
"""The way to a field: `("rules", 1, "rate")`, from 0 in lists."""


class Mark(NamedTuple):
    """A place in the text of a document; line and column count from 1."""

    line: int
    column: int


class Problem(NamedTuple):
    """One thing wrong: its place, the field's path, what it is, and what to write instead."""

    mark: Mark
    path: Path
    message: str
    cure: str

    @property
    def field(self) -> str:
        """The path as people read it: `rules[1].rate`; empty for the document as a whole."""
        text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return text.removeprefix(".")

    def text(self, file: str) -> str:
        """One line: `grocer.yaml:12:9: rules[1].rate: … Cure.`."""
        where = f"{file}:{self.mark.line}:{self.mark.column}: "
        field = f"{self.field}: " if self.path else ""
        return f"{where}{field}{self.message}. {self.cure}".rstrip()


class ProgramInvalidError(TallystickError):
    """A document can't become a program.

    Attributes:
        problems: everything that is wrong, in the order of the text.
        file: the name of the document, as its reader knows it.
    """

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.mark, str(problem.path))))
        self.file = file
        found = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = "\n".join(problem.text(file) for problem in self.problems)
        super().__init__(f"{file} is not a valid program ({found}):\n{lines}")
