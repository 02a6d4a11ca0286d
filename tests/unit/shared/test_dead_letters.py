"""A dead letter keeps the record as it came, and says why and where from in clean text."""

from datetime import UTC, datetime
from types import SimpleNamespace

from shared.dead_letters import DeadLetter
from shared.errors import PermanentError
from shared.reasons import Reason

RECEIVED_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
RECORD = SimpleNamespace(
    topic="commerce.orders",
    partition=3,
    offset=41,
    key=None,
    value=b"\xff\x00",
    headers=(("trace", None), ("ce_id", b"\xff")),
)


def letter(error: PermanentError) -> DeadLetter:
    return DeadLetter.of(error, service="earning", record=RECORD, received_at=RECEIVED_AT)


def test_its_record_says_all_of_it_beside_the_original() -> None:
    dead = letter(PermanentError(Reason.NOT_JSON, "the value is not JSON", field="data", cure="Check it."))
    record = dead.to_record()
    assert (record.key, record.value) == (None, b"\xff\x00")
    assert record.headers == [
        ("dead-letter-reason", b"not_json"),
        ("dead-letter-text", b"the value is not JSON Check it."),
        ("dead-letter-field", b"data"),
        ("dead-letter-service", b"earning"),
        ("dead-letter-topic", b"commerce.orders"),
        ("dead-letter-partition", b"3"),
        ("dead-letter-offset", b"41"),
        ("dead-letter-timestamp", b"2026-01-31T12:00:00.000+00:00"),
        ("original-trace", None),
        ("original-ce_id", b"\xff"),
    ]


def test_its_row_is_read_back_as_it_was() -> None:
    dead = letter(PermanentError(Reason.NOT_JSON, "the value is not JSON"))
    assert DeadLetter.from_row(dead.to_row(), service="earning") == dead


def test_its_words_are_clean_and_short() -> None:
    dead = letter(PermanentError(Reason.NOT_JSON, "a\x00b\ud800" + "x" * 2000, field="\x00"))
    assert dead.text.startswith("a\\x00b\\ud800x")
    assert len(dead.text) == 1000
    assert dead.field == "\\x00"
