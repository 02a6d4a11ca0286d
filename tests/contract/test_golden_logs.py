"""Golden logs are read for ever: decided again they give their own bytes, and all that is derived is as it was."""

import json
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest

from services.earning.source_events.messages import MESSAGE_TYPES
from services.earning.state.keys import KeyState
from shared.codec import chain_of
from shared.facts.fact import FACT_TYPES
from shared.point_events import EVENT_TYPES
from tests.contract import golden_log, make_golden_log
from tests.contract import golden_log_results as results
from tests.contract.golden_log import FOLDER, LogRecord, by_shard, line_of, logs, read_log

KINDS_OF_ROWS = {kind.__struct_config__.tag for kind in get_args(KeyState)}

each_log = pytest.mark.parametrize("name", logs())


def committed(name: str, file: str) -> bytes:
    return (FOLDER / name / file).read_bytes()


def facts_in(log: list[LogRecord]) -> list[dict[str, Any]]:
    return [fact for record in log if (fact := json.loads(record.value)["data"].get("fact")) is not None]


def history_without_hashes(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) | {"hash": ""} for line in committed(name, "history.jsonl").splitlines()]


def test_every_kind_of_event_occurs() -> None:
    assert {record.type for name in logs() for record in read_log(name)} == set(EVENT_TYPES)


def test_every_kind_of_fact_and_message_occurs() -> None:
    told = {fact["type"] for name in logs() for fact in facts_in(read_log(name))}
    assert told == FACT_TYPES.keys() | MESSAGE_TYPES.keys()


@each_log
def test_a_row_of_every_kind_is_handed_over_by_a_claim(name: str) -> None:
    rows = [row for fact in facts_in(read_log(name)) for row in fact["data"].get("rows", ())]
    assert {row["content"]["type"] if "content" in row else row["book"][0] for row in rows} == KINDS_OF_ROWS


@each_log
def test_whatever_the_words_of_its_messages_a_log_means_the_same(name: str) -> None:
    for file in ("standings.jsonl", "keys.jsonl", "lots.jsonl", "members.jsonl", "verify.json"):
        assert committed(name, file) == committed("v1", file)
    assert history_without_hashes(name) == history_without_hashes("v1")


@each_log
def test_a_line_holds_its_record_byte_for_byte(name: str) -> None:
    assert b"".join(map(line_of, read_log(name))) == committed(name, "points.jsonl")


@each_log
def test_the_chain_of_each_shard_is_whole(name: str) -> None:
    for records in by_shard(read_log(name)).values():
        chains = ["", *(chain_of(record.value) for record in records)]
        assert [json.loads(record.value)["data"].get("chain", "") for record in records] == chains[:-1]


@each_log
def test_decided_again_every_event_comes_out_byte_for_byte(name: str) -> None:
    log = read_log(name)
    found = [one.events for one in results.replay(log)]
    assert found == [[record.value for record in records] for records in by_shard(log).values()]


@each_log
def test_standings_keys_and_lots_are_as_known(name: str) -> None:
    for file, content in results.state_files(results.replay(read_log(name))).items():
        assert content.splitlines() == committed(name, file).splitlines()


@each_log
def test_read_models_are_as_known(name: str) -> None:
    for file, content in results.read_model_files(results.fold(read_log(name))).items():
        assert content.splitlines() == committed(name, file).splitlines()


@each_log
def test_the_checker_finds_nothing(name: str) -> None:
    log = read_log(name)
    report = results.verify(log, results.fold(log))
    assert report.clean, report.findings
    assert results.report_file(report)["verify.json"] == committed(name, "verify.json")


@each_log
def test_the_checker_finds_a_point_too_much(name: str) -> None:
    log = read_log(name)
    models = results.fold(log)
    models.members["club", "bob"].balances.available += 1
    report = results.verify(log, models)
    assert [(finding.invariant, finding.where) for finding in report.findings] == [("I4", "club/bob")]


@each_log
def test_a_log_that_is_there_is_not_written_again(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(make_golden_log, "make_log", lambda: pytest.fail("made anew"))
    for module in (golden_log, make_golden_log):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    (tmp_path / name).mkdir()
    shutil.copy(FOLDER / name / "points.jsonl", tmp_path / name)
    make_golden_log.main(name)
    assert {file.name for file in (tmp_path / name).iterdir()} == {file.name for file in (FOLDER / name).iterdir()}
