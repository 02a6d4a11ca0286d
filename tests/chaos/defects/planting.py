"""Change code by what it says, not by where it stands: a snippet within a function that is found by its name.

Python is compared as a syntax tree: neither its format nor its comments matter, nor what stands around the snippet.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ANYTHING = ...
"""`...` in a snippet stands for any expression, any statements, or all that a call is given by position."""

STATEMENT_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


class MisfitError(Exception):
    """A change that doesn't fit the code: which, why, and the source of the function as it is now."""

    def __init__(self, change: Change, why: str, source: str = "") -> None:
        """Keep all three; `source` is empty where the function itself isn't there."""
        super().__init__(f"{change.within}: {why}: {change.was!r}")
        self.change = change
        self.source = source


@dataclass(frozen=True)
class Change:
    """One snippet of one function becomes another.

    `within` names a function, class or variable, `package.module:Class.method`, or a statement of SQL,
    `path/to/file.sql:name`. `was` occurs in it exactly once: an expression, or statements that follow each other; of
    SQL, a piece of text. Nothing in `becomes` takes statements away. The n-th `...` of `becomes` is what the n-th of
    `was` stood for.
    """

    within: str
    was: str
    becomes: str

    @property
    def file(self) -> str:
        """The file that is changed, as a path below the project's top."""
        place = self.within.partition(":")[0]
        return place if place.endswith(".sql") else place.replace(".", "/") + ".py"

    def changed(self, text: str) -> str:
        """Return the changed text of the file.

        Raises:
            MisfitError: There is no such function, or the snippet isn't in it, or more than once.
        """
        name = self.within.partition(":")[2]
        return self._changed_sql(text, name) if self.file.endswith(".sql") else self._changed_python(text, name)

    def _changed_sql(self, text: str, name: str) -> str:
        begins = next((found.end() for found in STATEMENT_NAME.finditer(text) if found[1] == name), None)
        if begins is None:
            raise MisfitError(self, "there is no such statement")
        following = STATEMENT_NAME.search(text, begins)
        statement = text[begins : following.start() if following else len(text)]
        snippet = r"\s+".join(re.escape(word) for word in self.was.split())
        changed, times = re.subn(snippet, lambda _: self.becomes, statement)
        self._see_once(times, statement)
        return text[:begins] + changed + text[begins + len(statement) :]

    def _changed_python(self, text: str, name: str) -> str:
        module = ast.parse(text)
        found = [node for named, node in _named(module) if named == name]
        if len(found) != 1:
            raise MisfitError(self, f"{len(found)} things have this name")
        pattern, new = _snippets(self.was, self.becomes)
        places = list(_places(found[0], pattern))
        self._see_once(len(places), ast.get_source_segment(text, found[0]) or "")
        places[0].replace([copied for node in new for copied in _filled(node, places[0].taken)])
        changed = ast.unparse(ast.fix_missing_locations(module))
        compile(changed, self.within, "exec", dont_inherit=True)
        return changed + "\n"

    def _see_once(self, times: int, source: str) -> None:
        if times != 1:
            raise MisfitError(self, f"occurs {times} times" if times else "does not occur", textwrap.dedent(source))


class Defect:
    """Changes of the code, which promise they break, and the tests that must fail with them."""

    def __init__(self, name: str, breaks: str, caught_by: tuple[str, ...], *changes: Change) -> None:
        """Keep what is declared: tests are paths below the project's top."""
        self.name = name
        self.breaks = breaks
        self.caught_by = caught_by
        self.changes = changes

    def changed(self, top: Path) -> dict[str, str]:
        """Return the changed text of each file, by its path below `top`, the project's top.

        Raises:
            MisfitError: One of the changes doesn't fit the code.
        """
        texts: dict[str, str] = {}
        for change in self.changes:
            if not (top / change.file).is_file():
                raise MisfitError(change, "there is no such file")
            text = texts.get(change.file) or (top / change.file).read_text("utf-8")
            texts[change.file] = change.changed(text)
        return texts


@dataclass(frozen=True)
class _Place:
    """Where a snippet stands: in a field of a node, or among the nodes of one; with what each `...` stood for."""

    parent: ast.AST
    field: str
    span: slice | None
    taken: list[Any]

    def replace(self, new: list[ast.AST]) -> None:
        if self.span is None:
            setattr(self.parent, self.field, new[0])
            return
        nodes = getattr(self.parent, self.field)
        nodes[self.span] = new
        if self.field == "body" and not nodes:
            nodes.append(ast.Pass())


def namesakes(change: Change, top: Path) -> Iterator[str]:
    """Everything in the product whose last name is that of a change's function: it may have moved there."""
    wanted = re.split(r"[:.]", change.within)[-1]
    for room in ("services", "shared", "deploy"):
        for file in sorted((top / room).rglob("*.py")):
            module = file.relative_to(top).with_suffix("").as_posix().replace("/", ".")
            for name, _ in _named(ast.parse(file.read_text("utf-8"))):
                if name.rpartition(".")[2] == wanted:
                    yield f"{module}:{name}"


def _named(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """All that has a name in a module, by qualified name: functions, classes, and variables of both."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + child.name, child
            yield from _named(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.Assign | ast.AnnAssign) and not isinstance(node, ast.FunctionDef):
            for target in child.targets if isinstance(child, ast.Assign) else [child.target]:
                if isinstance(target, ast.Name):
                    yield prefix + target.id, child


def _snippets(was: str, becomes: str) -> tuple[list[ast.AST], list[ast.AST]]:
    """Both as nodes: expressions where both are one, statements otherwise."""
    old, new = ast.parse(textwrap.dedent(was)).body, ast.parse(textwrap.dedent(becomes)).body
    expressions = [one.value for one in (*old, *new) if isinstance(one, ast.Expr)]
    if len(old) == len(new) == 1 and len(expressions) == len([*old, *new]):
        return [expressions[0]], [expressions[1]]
    return [*old], [*new]


def _places(scope: ast.AST, pattern: Sequence[ast.AST]) -> Iterator[_Place]:
    for node in ast.walk(scope):
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                for first in range(len(value) - len(pattern) + 1):
                    span = slice(first, first + len(pattern))
                    if (taken := _taken(pattern, value[span])) is not None:
                        yield _Place(node, field, span, taken)
            elif (taken := _taken(pattern, [value])) is not None:
                yield _Place(node, field, None, taken)


def _taken(pattern: Any, value: Any) -> list[Any] | None:
    """What each `...` of a pattern stands for in a value; None where the value is another."""
    if isinstance(pattern, list):
        return _taken_of_all(pattern, value) if isinstance(value, list) else None
    if not isinstance(pattern, ast.AST):
        return [] if type(pattern) is type(value) and pattern == value else None
    if _is_anything(pattern) and isinstance(value, ast.expr):
        return [value]
    if type(pattern) is not type(value):
        return None
    fields = [(getattr(pattern, field, None), getattr(value, field, None)) for field in pattern._fields]
    return _joined([_taken(was, now) for was, now in fields])


def _taken_of_all(patterns: list[Any], values: list[Any]) -> list[Any] | None:
    if len(patterns) == 1 and _is_anything(patterns[0]) and all(isinstance(v, ast.expr | ast.stmt) for v in values):
        return [values]
    if len(patterns) != len(values):
        return None
    return _joined([_taken(pattern, value) for pattern, value in zip(patterns, values, strict=True)])


def _joined(parts: list[list[Any] | None]) -> list[Any] | None:
    known = [part for part in parts if part is not None]
    return [one for part in known for one in part] if len(known) == len(parts) else None


def _is_anything(node: Any) -> bool:
    inner = node.value if isinstance(node, ast.Expr) else node
    return isinstance(inner, ast.Constant) and inner.value is ANYTHING


def _filled(node: ast.AST, taken: list[Any]) -> list[ast.AST]:
    """A node with each `...` in turn replaced by what it stands for."""

    class Filling(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            return taken.pop(0) if _is_anything(node) and taken else self.generic_visit(node)

    filled = Filling().visit(node)
    return filled if isinstance(filled, list) else [filled]
