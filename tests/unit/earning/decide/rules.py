"""The rules of the domain as `docs/rules.md` has them, the tests that show each, and where their numbers are used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parents[3]
TOP = TESTS.parent

_HEADING = re.compile(r"^### (\d+)\. (.+)\n", re.MULTILINE)
_NUMBER = r"\d{1,3}(?!\d|[.,]\d)"
_CITED = re.compile(rf"(?<![a-z])rules?[ _(]+({_NUMBER}(?:(?:-|(?:,| and|, and| or| to)\s+){_NUMBER})*)", re.IGNORECASE)
"""`rule 12`, `rules 13, 14`, `Rules 2-15, 34 and 37`, `rule(2, 9)`, `test_rule_02_…`; of a range its two ends."""

_READ = {".md", ".patch", ".py", ".sql", ".toml", ".yaml"}


class Rule(NamedTuple):
    """A rule as the page has it: its title, and the text under it."""

    title: str
    text: str


def rules_of(page: str) -> dict[int, Rule]:
    """Number → rule, by the headings of a page, such as `### 9. What a refund takes back`.

    Raises:
        ValueError: two rules have one number.
    """
    _, *parts = _HEADING.split(page)
    rules = {int(number): Rule(*rest) for number, *rest in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}
    if 3 * len(rules) != len(parts):
        raise ValueError("two rules have one number")
    return rules


RULES = rules_of((TOP / "docs" / "rules.md").read_text(encoding="utf-8"))
"""All of them."""


def rules_shown() -> dict[int, list[str]]:
    """Rule → tests that say they show it: by `@pytest.mark.rule(number)`, or as a row of a table of `cases`."""
    found: dict[int, list[str]] = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for rule, test in [*_marked(tree), *_rows(tree)]:
            found.setdefault(rule, []).append(f"{file.relative_to(TESTS)}::{test}")
    return found


def rules_cited(top: Path = TOP) -> dict[int, list[str]]:
    """Rule → files of a tree that name its number, in code, tests or docs."""
    found: dict[int, list[str]] = {}
    folders = (top / name for name in ("services", "shared", "deploy", "tests", "docs"))
    files = [file for folder in folders for file in folder.rglob("*")] + [*top.glob("*")]
    for file in sorted(file for file in files if file.suffix in _READ):
        for rule in cited_in(file.read_text(encoding="utf-8")):
            found.setdefault(rule, []).append(file.relative_to(top).as_posix())
    return found


def cited_in(text: str) -> set[int]:
    """The numbers of rules that a text names."""
    return {int(number) for cited in _CITED.findall(text) for number in re.findall(r"\d+", cited)}


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
