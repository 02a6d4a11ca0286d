"""Messages between members lie in the log for ever: each type keeps its shape, and none of them is stored state."""

import msgspec
import pytest

from services.earning.decide.facts.handover import given_lot, given_row, taken_lots, taken_rows
from services.earning.source_events.facts import Fact, LoggedFact, fact_of, restored_fact
from services.earning.source_events.handover import ClaimGiven
from services.earning.source_events.handover_v1 import ClaimGivenV1, upgraded
from services.earning.source_events.messages import MESSAGE_TYPES, MessageData
from services.earning.state import keys, standing
from shared.codec import decoder_of
from tests.contract.golden_log import PROGRAM, LogRecord, logs, read_log
from tests.contract.golden_log_results import replay
from tests.contract.shapes import MESSAGES, shape, structs_in

CURE = """A message that was released has another shape. Leave its class as it was. What is handed over of a key follows
`state/keys.py`: put a field that is stored under another name into `RENAMED` of `source_events/contents.py`. Give what
is to be said otherwise a type of its own (….v3), read this one as plain values (as `handover_v1.py` does), and run
`python -m tests.contract.shapes` and `python -m tests.contract.make_golden_log`."""


def given_in(log: list[LogRecord]) -> list[ClaimGiven | ClaimGivenV1]:
    """What claims have handed over, part by part."""
    return [fact.data for fact in messages_in(log) if isinstance(fact.data, ClaimGiven | ClaimGivenV1)]


def messages_in(log: list[LogRecord]) -> list[Fact]:
    events = [decoder_of(record.type).decode(record.value).data for record in log]
    facts = [fact_of(event) for event in events if event.fact is not None]
    return [fact for fact in facts if isinstance(fact.data, MessageData)]


@pytest.mark.parametrize("name", MESSAGE_TYPES)
def test_a_message_keeps_its_shape(name: str) -> None:
    assert shape(MESSAGE_TYPES[name]) == (MESSAGES / f"{name}.txt").read_text("utf-8"), CURE


def test_a_message_that_was_released_is_known_for_ever() -> None:
    assert {file.stem for file in MESSAGES.iterdir()} == MESSAGE_TYPES.keys()


@pytest.mark.parametrize("name", MESSAGE_TYPES)
def test_no_message_is_made_of_stored_state(name: str) -> None:
    stored = {keys.__name__, standing.__name__}
    assert not [kind for kind in structs_in(MESSAGE_TYPES[name]) if kind.__module__ in stored]


def test_what_is_handed_over_comes_out_as_it_was() -> None:
    for _, state in replay(read_log(logs()[-1])):
        for row in state.keys.values():
            assert taken_rows(PROGRAM, row.member, [given_row(row)]) == [row]
        for member in state.members.values():
            for lot in member.lots.values():
                assert taken_lots(PROGRAM, [given_lot(lot)]) == [lot]


def test_the_first_version_says_the_same_as_the_second() -> None:
    first, second = (given_in(read_log(name)) for name in ("v1", "v2"))
    assert [upgraded(data) for data in first if isinstance(data, ClaimGivenV1)] == second
    assert len(first) == len(second) > 0


@pytest.mark.parametrize("name", logs())
def test_a_message_in_an_inbox_reads_as_it_was_written(name: str) -> None:
    for message in messages_in(read_log(name)):
        kept = LoggedFact.of(message)
        read = restored_fact(msgspec.msgpack.decode(msgspec.msgpack.encode(kept)), message.program, message.member)
        assert msgspec.json.encode(LoggedFact.of(read)) == msgspec.json.encode(kept)
        if not isinstance(message.data, ClaimGivenV1):
            assert read == msgspec.structs.replace(message, topic="", partition=-1, offset=-1)
