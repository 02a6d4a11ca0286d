"""The house rules of pages: links that lead somewhere, and tests that exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]

pytestmark = pytest.mark.house


def pages() -> Iterator[Path]:
    yield from sorted(TOP.glob("*.md"))
    yield from sorted((TOP / "docs").rglob("*.md"))


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
