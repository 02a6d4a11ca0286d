"""`tallystick try`: facts in, awards and standings out, by the contract of docs/reference/try.md."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from services.cli.main import app
from shared.try_lines import Line

EXAMPLES = Path(__file__).parents[3] / "docs" / "reference" / "examples"
PROGRAM = EXAMPLES / "try.yaml"
FACTS = EXAMPLES / "try.jsonl"


def fact(
    number: int, kind: str = "order.paid", *, data: dict[str, Any] | None = None, **more: object
) -> dict[str, Any]:
    """The fact of an order of 100.00, or one that changes it."""
    body: dict[str, Any] = {"order_id": "1"}
    if kind == "order.paid":
        body |= {"currency": "EUR", "lines": [{"line_id": "1", "sku": "x", "quantity": 1, "subtotal": "100.00"}]}
    envelope = {
        "specversion": "1.0",
        "type": f"commerce.{kind}.v1",
        "source": "till",
        "id": f"e{number}",
        "program": "coffee",
        "subject": "ana",
        "time": f"2027-03-{number:02}T10:00:00Z",
    }
    return envelope | {"data": body | (data or {})} | more


class Trial:
    """A directory with a program and facts, and the command run on them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.programs = [PROGRAM]

    def program(self, text: str, name: str) -> None:
        file = self._directory / name
        file.write_text(text, "utf-8")
        self.programs.append(file)

    def run(self, facts: list[dict[str, Any] | str], *options: str) -> Result:
        lines = [fact if isinstance(fact, str) else json.dumps(fact) for fact in facts]
        file = self._directory / "facts.jsonl"
        file.write_text("\n".join(lines), "utf-8")
        given = [word for program in self.programs for word in ("--program", str(program))]
        return CliRunner().invoke(app, ["try", *given, "--facts", str(file), *options])

    def lines(self, facts: list[dict[str, Any] | str], *options: str) -> list[dict[str, Any]]:
        result = self.run(facts, "--json", *options)
        assert result.exit_code in {0, 1}, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def of(lines: list[dict[str, Any]], record: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["record"] == record]


def test_each_fact_has_its_line_and_each_member_theirs(trial: Trial) -> None:
    lines = trial.lines([fact(1), "", fact(2, "order.cancelled")])
    first, second = of(lines, "fact")
    (member,) = of(lines, "member")
    assert (first["line"], first["outcome"], first["events"][0]["points"]) == (1, "applied", 100)
    assert (second["line"], second["events"][0]["type"]) == (3, "loyalty.points.reversed.v1")
    assert (member["available"], member["lifetime"]["earned"], member["lifetime"]["reversed"]) == (0, 100, 100)
    assert of(lines, "counts") == [
        {"record": "counts", "input": 2, "applied": 2, "duplicate": 0, "rejected": 0, "dead_letter": 0}
    ]


def test_every_line_is_as_the_contract_says(trial: Trial) -> None:
    result = trial.run(
        [fact(1), "{", fact(1)], "--json", "--until", "2030-01-01T00:00:00Z", "--duplicate", "--shuffle=1"
    )
    for line in result.stdout.splitlines():
        assert json.loads(msgspec.json.encode(msgspec.json.decode(line, type=Line, strict=True))) == json.loads(line)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("{", "not_json"),
        ('{"a": 1}', "not_cloudevents"),
        (json.dumps(fact(1, program="tea")), "unknown_program"),
        (json.dumps(fact(1, receivedat="2027-03-01T09:00:00Z")), "occurred_in_future"),
        (json.dumps(fact(1, receivedat="2027-03-01T09:00:00")), "invalid_time"),
        (json.dumps(fact(1, receivedat="yesterday")), "invalid_time"),
        (json.dumps(fact(1, receivedat=5)), "invalid_time"),
        (json.dumps(fact(1, type="commerce.order.lost.v1")), "unknown_type"),
    ],
)
def test_what_can_not_be_read_or_decided_is_a_dead_letter_and_the_rest_goes_on(
    trial: Trial, wrong: str, reason: str
) -> None:
    lines = trial.lines([wrong, fact(2)])
    bad, good = of(lines, "fact")
    assert (bad["outcome"], bad["reason"]) == ("dead_letter", reason)
    assert bad["message"]
    assert good["outcome"] == "applied"


def test_a_fact_arrives_when_it_says_so(trial: Trial) -> None:
    (line,) = of(trial.lines([fact(1, receivedat="2027-05-01T00:00:00+02:00")]), "fact")
    assert (line["occurred_at"], line["received_at"]) == ("2027-03-01T10:00:00Z", "2027-04-30T22:00:00Z")
    assert line["events"][0]["decided_at"] == "2027-04-30T22:00:00Z"


def test_files_of_one_program_are_its_versions(trial: Trial) -> None:
    later = PROGRAM.read_text("utf-8").replace("2027-01-01T00", "2027-03-02T00").replace("rate: 1", "rate: 3")
    trial.program(later, "second.yaml")
    first, second = of(trial.lines([fact(1), fact(2, data={"order_id": "2"})]), "fact")
    assert [line["events"][0]["program_version"] for line in (first, second)] == [1, 2]
    assert second["events"][0]["rules"][0]["rate"] == "3"


def test_members_are_brought_up_to_an_instant(trial: Trial) -> None:
    lines = trial.lines([fact(1)], "--until", "2029-01-01T00:00:00+01:00")
    (until,) = of(lines, "until")
    (member,) = of(lines, "member")
    assert (until["events"][0]["before"], until["events"][0]["after"]) == ("roast", "bean")
    assert (member["tier"], member["clock"]) == ("bean", "2028-12-31T23:00:00Z")


def test_repeating_and_reordering_end_the_same(trial: Trial) -> None:
    refund = fact(3, "order.refunded", data={"refund_id": "r", "lines": [{"line_id": "1", "amount": "40.00"}]})
    lines = trial.lines([fact(1), fact(2, "order.fulfilled"), refund], "--duplicate", "--shuffle", "5")
    repeated, reordered = of(lines, "comparison")
    assert (repeated["check"], repeated["same"]) == ("duplicate", True)
    assert (reordered["check"], reordered["seed"], reordered["same"]) == ("shuffle", 5, True)


def test_the_same_seed_gives_the_same_order(trial: Trial) -> None:
    facts: list[dict[str, Any] | str] = [fact(day, data={"order_id": str(day % 3)}) for day in range(1, 12)]
    assert trial.lines(facts, "--shuffle", "5") == trial.lines(facts, "--shuffle", "5")


def test_an_order_that_met_another_tier_is_told_apart(trial: Trial) -> None:
    facts: list[dict[str, Any] | str] = [
        fact(1),
        fact(2, data={"order_id": "2"}),
        fact(3, "order.refunded", data={"refund_id": "r", "lines": [{"line_id": "1", "amount": "1.00"}]}),
    ]
    found = [trial.lines(facts, "--shuffle", str(seed))[-1] for seed in range(6)]
    assert all(comparison["same"] for comparison in found)
    figures = {difference["figure"] for comparison in found for difference in comparison["first_come"]}
    assert "order till/2" in figures, "decided before the order that lifts its member, it earns less"


def test_people_read_sentences() -> None:
    result = CliRunner().invoke(app, ["try", "--program", str(PROGRAM), "--facts", str(FACTS), "--duplicate"])
    assert result.exit_code == 0
    assert "earned 49 points: base 19.99 × 1 × 2.5 = 49.975 → 49  [available 153]" in result.stdout
    assert "took back 24 points (refunded)  [available 129]" in result.stdout
    assert "5 facts = 3 applied + 1 duplicate + 0 rejected + 1 dead letter" in result.stdout
    assert "every fact repeated: the end is the same" in result.stdout


def test_facts_may_come_by_pipe() -> None:
    arguments = ["try", "--program", str(PROGRAM), "--facts", "-", "--json"]
    result = CliRunner().invoke(app, arguments, input=FACTS.read_text("utf-8"))
    assert json.loads(result.stdout.splitlines()[-1])["input"] == 5


@pytest.mark.parametrize(
    "options", [["--until", "tomorrow"], ["--until", "2027-01-01"], ["--program", "no.yaml"], ["--facts", "no.jsonl"]]
)
def test_what_can_not_be_run_is_wrong_usage(options: list[str]) -> None:
    arguments = ["try", "--program", str(PROGRAM), "--facts", str(FACTS), *options]
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_an_invalid_program_is_a_finding() -> None:
    arguments = ["try", "--program", str(EXAMPLES / "mistakes.yaml"), "--facts", str(FACTS)]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "mistakes.yaml:8:11" in result.stderr
