"""Whether the counts of an installation add up to its input."""

import pytest

from services.cli.state import Input, State


def orders(**numbers: int) -> Input:
    return Input(**({"topic": "commerce.orders", "first": 0, "end": 10} | numbers))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("topic", "adds_up"),
    [
        (orders(), True),
        (orders(decided=10, applied=7, duplicate=1, rejected=1, dead_letter=1), True),
        (orders(decided=10, applied=7, duplicate=1, rejected=1), False),
        (orders(decided=10, applied=11), False),
        (orders(first=4, decided=10, applied=6), True),
        (orders(first=4, decided=10, applied=10), True),
        (orders(first=4, decided=10, applied=5), False),
    ],
    ids=["nothing", "all four", "one lost", "one twice", "began late", "cut since", "cut and lost"],
)
def test_each_record_decided_became_one_of_the_four(topic: Input, adds_up: bool) -> None:  # noqa: FBT001 (the table's answer)
    assert topic.adds_up is adds_up


def test_settled_is_when_nothing_waits_anywhere() -> None:
    def state(decided: int, visible: int, messages: int = 0) -> State:
        topic = orders(decided=decided, applied=decided)
        return State([topic], 12, 12, 12, visible, 1, [], messages=messages)

    assert state(10, 12).settled
    assert not state(9, 12).settled
    assert not state(10, 11).settled
    assert not state(10, 12, messages=1).settled
