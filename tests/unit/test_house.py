"""The house rules that no linter knows: sizes, words, where SQL and the environment may appear, what is pure."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
ROOMS = ("services", "shared", "deploy", "tests")
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
PURE_ROOMS = ("services/earning/decide", "services/projections/models/*/fold.py")
# One fact that makes the core fail must not stop its partition: there, and nowhere else, every error is caught.
CATCHES_EVERYTHING = ("services/earning/ledger/guard.py",)
# At the door, and where a chaos test says at which line a process is to die.
READS_ENVIRONMENT = ("__main__.py", "app.py", "settings.py", "failpoints.py")
# Asking for a condition again needs a pause; everybody else asks this module. (Benches pace their load.)
MAY_SLEEP = ("tests/eventually.py",)
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager"}

pytestmark = pytest.mark.house


def modules(*rooms: str) -> Iterator[Path]:
    """Every Python module below the given folders of the project (or that is named itself)."""
    for room in rooms:
        for place in sorted(TOP.glob(room)):
            yield from sorted(place.rglob("*.py")) if place.is_dir() else [place]


def name(module: Path) -> str:
    return module.relative_to(TOP).as_posix()


def nodes(*rooms: str) -> Iterator[tuple[Path, ast.AST]]:
    for module in modules(*rooms):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            yield module, node


def at(module: Path, node: ast.AST) -> str:
    return f"{name(module)}:{getattr(node, 'lineno', 0)}"


def lines_with(pattern: str, files: Iterator[Path]) -> list[str]:
    wanted = re.compile(pattern)
    return [
        f"{name(file)}:{number}: {line.strip()[:100]}"
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if wanted.search(line)
    ]


def test_no_module_is_longer_than_400_lines() -> None:
    long = {name(m): lines for m in modules(*ROOMS) if (lines := len(m.read_text().splitlines())) > MODULE_LINES_MAX}
    assert long == {}


def test_no_function_is_longer_than_70_lines() -> None:
    long = {
        f"{at(module, node)} {node.name}": lines
        for module, node in nodes(*ROOMS)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert long == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [name(module) for module in modules(*ROOMS) if VAGUE_NAMES & {module.stem, module.parent.name}] == []


def test_nothing_is_left_for_later() -> None:
    words = "|".join(("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error"))
    sql = (file for room in ROOMS for file in sorted((TOP / room).rglob("*.sql")))
    assert lines_with(rf"\b({words})\b", modules(*ROOMS)) + lines_with(rf"\b({words})\b", sql) == []


def test_every_error_is_caught_in_one_place_only() -> None:
    places = [
        at(module, node)
        for module, node in nodes("services", "shared", "deploy")
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or {"Exception", "BaseException"} & {n.id for n in _names(node.type)})
    ]
    assert [place for place in places if place.partition(":")[0] not in CATCHES_EVERYTHING] == []
    assert len(places) <= len(CATCHES_EVERYTHING)


def test_no_test_sleeps() -> None:
    called = [
        at(module, node)
        for module, node in nodes("tests")
        if name(module) not in MAY_SLEEP
        and not name(module).startswith("tests/bench/")
        and isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "sleep"
    ]
    assert called == []


def test_sql_lives_in_sql_files() -> None:
    statement = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|CREATE|ALTER|TRUNCATE|LOCK TABLE)\s[\w(*]")
    found = [
        at(module, node)
        for module, node in nodes("services")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and statement.match(node.value)
    ]
    assert found == []


def test_services_read_the_environment_at_their_door_only() -> None:
    found = [
        at(module, node)
        for module, node in nodes("services/earning", "services/projections", "shared")
        if isinstance(node, ast.Attribute)
        and node.attr in {"environ", "getenv"}
        and module.name not in READS_ENVIRONMENT
    ]
    assert found == []


def test_pure_rooms_ask_no_clock_make_no_ids_and_know_no_float() -> None:
    impure = {"now", "utcnow", "today", "uuid1", "uuid4", "open", "print", "input", "float", "breakpoint"}
    calls = [
        at(module, node)
        for module, node in nodes(*PURE_ROOMS)
        if isinstance(node, ast.Call) and impure & {_called(node.func)}
    ]
    floats = [
        at(module, node)
        for module, node in nodes(*PURE_ROOMS)
        if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]
    assert calls + floats == []


def test_every_exception_from_a_linter_says_why() -> None:
    marker = "# no" + "qa"
    assert lines_with(rf"{marker}(?!: [A-Z]+\d+(, [A-Z]+\d+)* (\(.+\)|- .+))", modules(*ROOMS)) == []


def test_no_path_of_one_machine_is_written_down() -> None:
    kinds = {".py", ".sql", ".md", ".toml", ".yaml", ".yml", ".json", ".txt", ".properties", ".conf", ".sh", ""}
    homes = "|".join(("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/[a-z]"))
    folders = (*ROOMS, "docs", ".ci")
    files = (
        f
        for folder in folders
        for f in sorted((TOP / folder).rglob("*"))
        if f.is_file() and f.suffix in kinds and f.name != ".git"
    )
    top = (f for f in sorted(TOP.iterdir()) if f.is_file() and f.suffix in kinds and f.name != ".git")
    readable = (f for f in (*files, *top) if "__pycache__" not in f.parts)
    assert lines_with(rf"(^|[\s\"'(=:])({homes})", readable) == []


def _names(node: ast.AST) -> list[ast.Name]:
    return [child for child in ast.walk(node) if isinstance(child, ast.Name)]


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
