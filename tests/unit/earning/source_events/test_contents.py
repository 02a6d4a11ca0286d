"""What is stored as an array is said by names; another name in the store changes nothing in a message."""

from datetime import UTC, datetime

import msgspec

from services.earning.source_events.contents import CONTENTS, named
from services.earning.state.keys import LimitState, OrderState, RefundedLine, RefundKnown

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def test_a_stored_array_is_said_by_its_names_and_without_defaults() -> None:
    came_back = RefundKnown(NOON, 7, (RefundedLine("l1", 0, 2, 0),), None, 0, "cash")
    order = OrderState(refunds={"r1": came_back}, counts=True)
    said = msgspec.convert(order, CONTENTS[OrderState], from_attributes=True)
    refund = {"time": "2027-03-01T12:00:00Z", "content_hash": 7, "lines": ({"line_id": "l1", "quantity": 2},)}
    assert msgspec.to_builtins(said) == {"type": "order", "refunds": {"r1": refund}, "counts": True}


def test_a_field_that_is_stored_under_another_name_keeps_its_name_in_messages() -> None:
    content = named(LimitState, {"used": "taken"})
    said = msgspec.convert(LimitState(used=3), content, from_attributes=True)
    assert msgspec.to_builtins(said) == {"type": "limit", "taken": 3}
    read = msgspec.json.decode(msgspec.json.encode(said), type=content)
    assert msgspec.convert(read, LimitState, from_attributes=True) == LimitState(used=3)
