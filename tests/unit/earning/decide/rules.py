"""Which rule is shown by which tests: read from their marks and tables, so that no rule goes without one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[3]


def rules_shown() -> dict[int, list[str]]:
    """Rule → tests that say they show it: by `@pytest.mark.rule(number)`, or as a row of a table of `cases`."""
    found: dict[int, list[str]] = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for rule, test in [*_marked(tree), *_rows(tree)]:
            found.setdefault(rule, []).append(f"{file.relative_to(TESTS)}::{test}")
    return found


def _marked(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.rule":
                    yield from ((int(ast.literal_eval(number)), node.name) for number in call.args)


def _rows(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "cases":
            for row in node.args:
                if isinstance(row, ast.Tuple):
                    name, number = (ast.literal_eval(part) for part in row.elts[:2])
                    yield number, f"[rule_{number:02}_{name}]"
