"""`tallystick program` without servers: check and show, exit codes, and what is said where servers are missing."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deploy.programs import likes
from services.cli.main import app

PROJECT = Path(__file__).parents[3]
GROCER = str(PROJECT / "deploy" / "programs" / "grocer.yaml")
MISTAKES = str(PROJECT / "docs" / "reference" / "examples" / "mistakes.yaml")
NOBODY = "postgresql://somebody:secret@127.0.0.1:1/nothing"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No servers in the environment, none started in the working directory."""
    monkeypatch.delenv("POSTGRES_DSN", raising=False)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.chdir(tmp_path)


def tallystick(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_a_valid_program_is_said_to_be_valid() -> None:
    result = tallystick("program", "check", GROCER)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "program grocer is valid (3 rules, 1 campaigns, 3 tiers)" in result.stdout.replace("\n", " ")


def test_an_invalid_program_is_a_finding_told_on_stderr() -> None:
    result = tallystick("program", "check", MISTAKES)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "mistakes.yaml:8:11: rules[0].rate: '1,5' is not a positive number." in result.stderr


def test_problems_are_lines_for_scripts() -> None:
    result = tallystick("program", "check", MISTAKES, "--json")
    problems = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [problem["line"] for problem in problems] == [2, 8, 9, 12, 12, 18]
    assert problems[0].keys() == {"file", "line", "column", "field", "message", "cure"}


def test_a_program_is_told_in_plain_words() -> None:
    words = tallystick("program", "show", GROCER).stdout
    assert "fresh: 0.5 points for each 1 USD, on PRODUCE, SEAFOOD and SEAFOOD-PCKGD." in words
    assert "silver: from 1500 points earned in a calendar year, 1.25 times the points." in words


def test_a_program_is_data_for_scripts() -> None:
    document = json.loads(tallystick("program", "show", GROCER, "--json").stdout)
    assert document["rules"][1]["rate"] == "0.5"


@pytest.mark.parametrize("like", sorted(likes()))
def test_a_new_program_starts_from_one_we_ship(like: str, tmp_path: Path) -> None:
    file = tmp_path / "my-shop.yaml"
    assert tallystick("program", "new", str(file), "--like", like).exit_code == 0
    assert "program my-shop is valid" in tallystick("program", "check", str(file)).stdout.replace("\n", " ")
    assert file.read_text("utf-8").startswith("# ")
    again = tallystick("program", "new", str(file), "--like", like)
    assert (again.exit_code, "is there already" in again.stderr) == (2, True)


def test_a_program_like_nothing_we_ship_is_refused_with_what_there_is(tmp_path: Path) -> None:
    refused = tallystick("program", "new", str(tmp_path / "x.yaml"), "--like", "smiles")
    assert (refused.exit_code, "Did you mean `smile`?" in refused.stderr) == (2, True)
    named = tallystick("program", "new", str(tmp_path / "My Shop.yaml"), "--like", "smile")
    assert (named.exit_code, "is not a name" in named.stderr) == (1, True)
    assert not list(tmp_path.iterdir())


def test_two_documents_of_a_program_are_compared(tmp_path: Path) -> None:
    newer = tmp_path / "newer.yaml"
    newer.write_text(Path(GROCER).read_text("utf-8").replace("threshold: 1500", "threshold: 1200"), "utf-8")
    words = tallystick("program", "diff", GROCER, str(newer)).stdout
    assert "was: silver: from 1500 points" in words
    assert "now: silver: from 1200 points" in words
    (change,) = map(json.loads, tallystick("program", "diff", GROCER, str(newer), "--json").stdout.splitlines())
    assert (change["kind"], change["section"], change["about"]) == ("changed", "Tiers", "silver")
    assert "Nothing changes for members." in tallystick("program", "diff", GROCER, GROCER).stdout


def test_two_programs_are_no_versions_of_one() -> None:
    result = tallystick("program", "diff", GROCER, str(PROJECT / "deploy" / "programs" / "minimal.yaml"))
    assert result.exit_code == 2
    assert "two programs" in result.stderr


@pytest.mark.parametrize(
    "command", [["list"], ["diff", "grocer@1", "grocer@2"], ["show", "grocer"], ["publish", GROCER]]
)
def test_without_a_database_it_says_what_to_set(command: list[str]) -> None:
    result = tallystick("program", *command)
    assert result.exit_code == 2
    assert "Set POSTGRES_DSN, or run `tallystick up` first." in result.stderr


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    result = tallystick("program", "list", "--dsn", NOBODY)
    assert result.exit_code == 3
    assert "Postgres at postgresql://somebody:…@127.0.0.1:1/nothing does not answer" in result.stderr
    assert "secret" not in result.stderr


@pytest.mark.parametrize("arguments", [["program", "check", "missing.yaml"], ["program", "check"], ["nonsense"]])
def test_wrong_usage_ends_with_two(arguments: list[str]) -> None:
    assert tallystick(*arguments).exit_code == 2


@pytest.mark.parametrize("command", [["program", name] for name in ("check", "publish", "list", "show")] + [["try"]])
def test_help_teaches_by_example(command: list[str]) -> None:
    result = tallystick(*command, "--help")
    assert result.exit_code == 0
    assert f"tallystick {' '.join(command)}" in " ".join(result.stdout.replace("│", " ").split())
