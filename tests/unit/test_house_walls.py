"""The walls of the house: a module without a room, or an import back up, is refused; the books have one writer."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
EARNING = TOP / "services" / "earning"
ROOMS_MAX = 18
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

pytestmark = pytest.mark.house


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of earning, by its path there."""
    for file in sorted(EARNING.rglob("*.py")):
        yield file.relative_to(EARNING).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def names(node: ast.AST) -> set[str]:
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}


@pytest.mark.parametrize(
    ("module", "text", "why"),
    [
        ("odd.py", '"""A module without a room."""\n', "odd"),
        ("state/up.py", "from services.earning.ledger.ledger import Ledger\n", "services.earning.state.up"),
        ("relay/across.py", "from services.earning.intake.earn import earn\n", "services.earning.relay.across"),
        ("decide/odd.py", '"""A module of deciding without a room."""\n', "odd"),
        (
            "decide/value/up.py",
            "from services.earning.decide.points.lots import new_lot\n",
            "services.earning.decide.value.up",
        ),
    ],
)
def test_a_module_without_a_room_and_an_import_back_up_or_across_are_refused(
    tmp_path: Path, module: str, text: str, why: str
) -> None:
    for room in ("services", "shared", "deploy"):
        shutil.copytree(TOP / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "*.sql", "tools"))
    shutil.copy(TOP / "pyproject.toml", tmp_path)
    command = [str(LINT_IMPORTS), "--no-cache", "--no-logo"]
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    (tmp_path / "services" / "earning" / module).write_text(text)
    linted = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert linted.returncode == 1
    assert why in linted.stdout


def test_earning_has_few_rooms() -> None:
    rooms = {path.stem for path in EARNING.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert len(rooms - {"__init__"}) <= ROOMS_MAX


def test_the_heads_of_shards_are_locked_and_moved_in_one_module() -> None:
    statements = {"lock_shards", "update_shards"}
    found = {
        module
        for module, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in statements
    }
    assert found == {"ledger/transaction.py"}


def test_one_loop_gives_rows() -> None:
    callers = {
        module
        for module, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "supply"
    }
    assert callers == {"ledger/ledger.py"}
    catchers = {
        module
        for module, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and node.type is not None and "RowsMissingError" in names(node.type)
    }
    assert catchers == {"ledger/guard.py", "ledger/ledger.py"}


def test_a_file_of_sql_is_read_by_one_module_and_its_statements_stay_in_that_room() -> None:
    read = re.compile(r'Queries\(.*"(\w+)\.sql"\)')
    files = [name for path in sorted(EARNING.rglob("*.py")) for name in read.findall(path.read_text(encoding="utf-8"))]
    assert sorted(files) == sorted(path.stem for path in (EARNING / "sql").glob("*.sql") if path.stem != "schema")
    elsewhere = [
        f"{module} takes those of {node.module}"
        for module, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and any(alias.name == "QUERIES" for alias in node.names)
        if (node.module or "").split(".")[2] != module.partition("/")[0]
    ]
    assert elsewhere == []
