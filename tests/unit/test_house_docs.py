"""The house rules of words: which rules a module is about, links that lead somewhere, tests that pages name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.earning.decide.rules import RULES, cited_in

TOP = Path(__file__).parents[2]
FIRST_LINES = 4
# Modules of `decide` that are about no rule: machinery that every rule uses.
MACHINERY = {
    "case": "puts a fact and its key's row together; what they mean is said elsewhere",
    "decision": "the shape of what `needs` asks for and of what `decide` gives back",
}

pytestmark = pytest.mark.house


def pages() -> Iterator[Path]:
    yield from sorted(TOP.glob("*.md"))
    yield from sorted((TOP / "docs").rglob("*.md"))


def lacking(module: str, docstring: str) -> str | None:
    """What is wrong with the rules that a module of `decide` names; None: nothing."""
    named = cited_in("\n".join(docstring.splitlines()[:FIRST_LINES]))
    if module in MACHINERY:
        return f"{module} is machinery, and names rules" if named else None
    if not named:
        return f"{module} names no rule"
    return f"{module} names rules that the page lacks" if named - RULES.keys() else None


def test_each_module_of_decide_names_its_rules_in_its_first_lines() -> None:
    modules = [m for m in sorted((TOP / "services/earning/decide").rglob("*.py")) if m.stem != "__init__"]
    said = {module.stem: ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "" for module in modules}
    assert [wrong for module, docstring in said.items() if (wrong := lacking(module, docstring))] == []
    assert MACHINERY.keys() <= said.keys()


@pytest.mark.parametrize(
    ("module", "docstring"),
    [
        ("caps", "Caps: the most that orders may earn."),
        ("caps", "Caps: the most.\n\nAnd\nmuch\nmore.\n\nRule 7."),
        ("caps", f"Caps: the most. Rule {len(RULES) + 1}."),
        ("case", "Cases: a fact with what is known. Rule 7."),
    ],
)
def test_a_module_that_names_none_or_one_that_is_not_there_is_found(module: str, docstring: str) -> None:
    assert lacking(module, docstring) is not None


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in pages():
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            if path.startswith(("http:", "https:")):
                continue
            if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
                broken.append(f"{page.relative_to(TOP)}: {link}")
    assert broken == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made for a browser."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_tests_that_the_pages_on_changes_name_exist() -> None:
    files = list((TOP / "tests").rglob("test_*.py"))
    known = {file.stem for file in files}
    for file in files:
        known |= set(re.findall(r"^(?:async )?def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE))
    changes = (TOP / "docs" / "how-to" / "change").glob("*.md")
    named = {name for page in changes for name in re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8"))}
    assert named
    assert named - known == set()
