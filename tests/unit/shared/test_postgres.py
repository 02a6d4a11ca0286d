"""Named statements, and sessions that give up their locks by themselves."""

from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.postgres import SESSION_SETTINGS, Queries


def test_a_file_gives_its_statements_by_name(tmp_path: Path) -> None:
    file = tmp_path / "t.sql"
    file.write_text("-- What it is for.\n-- name: first\nSELECT 1;\n\n-- name: second\nSELECT\n  2\n")
    queries = Queries(file)
    assert queries.names == ("first", "second")
    assert queries["first"] == "SELECT 1"
    assert queries["second"] == "SELECT\n  2"


def test_a_missing_name_says_which_file_lacks_it(tmp_path: Path) -> None:
    (tmp_path / "t.sql").write_text("-- name: first\nSELECT 1;")
    with pytest.raises(ConfigurationError, match=r"t\.sql has no statement named second"):
        Queries(tmp_path / "t.sql")["second"]


@pytest.mark.parametrize(
    ("setting", "at_most_ms"),
    [
        ("idle_in_transaction_session_timeout", 3_000),
        ("transaction_timeout", 10_000),
        ("statement_timeout", 10_000),
        ("lock_timeout", 5_000),
    ],
)
def test_a_paused_process_keeps_its_locks_for_seconds_only(setting: str, at_most_ms: int) -> None:
    assert 0 < int(SESSION_SETTINGS[setting]) <= at_most_ms
