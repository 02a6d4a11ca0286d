"""Up to which position a log is whole, from as much of its end as was read."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from services.earning.replay.log_end import Tail, whole_to


def tail(positions: Iterable[int], *, start: int) -> Tail:
    """The end of a log from offset `start` on, with these positions in this order."""
    read = list(positions)
    return Tail(0, start, start + len(read), [(position, "") for position in read])


@pytest.mark.parametrize(
    ("read", "known", "answer"),
    [
        pytest.param(tail([9], start=8), 9, 9, id="it ends with what was recorded"),
        pytest.param(tail([9, 10, 11], start=8), 9, 11, id="more was published than recorded"),
        pytest.param(tail([12], start=11), 9, None, id="what was recorded lies before"),
        pytest.param(tail([9, 8, 9], start=20), 9, 9, id="it ends with copies"),
        pytest.param(tail([8], start=20), 9, None, id="a copy at the end says nothing of what lies before"),
        pytest.param(tail([], start=20), 9, None, id="a foreign record says nothing"),
        pytest.param(tail([], start=0), 0, 0, id="an empty log"),
        pytest.param(tail([1, 2, 3], start=0), 0, 3, id="nothing was recorded yet"),
        pytest.param(tail([6], start=5), 9, 6, id="what was recorded is beyond its end"),
        pytest.param(tail([5, 6], start=4), 9, 6, id="its end was lost"),
        pytest.param(tail([10, 11], start=6), 9, None, id="where the hole begins was not read yet"),
        pytest.param(tail([5, 6, 10, 11], start=4), 9, 6, id="its end was lost, and more was published behind that"),
        pytest.param(tail([1, 2, 5, 6], start=0), 9, 2, id="all of it was read"),
        pytest.param(tail([3, 4, 5], start=0), 9, 0, id="it lacks its beginning"),
        pytest.param(tail([5, 9, 10, 6, 7, 8, 9], start=4), 5, 9, id="what came before its predecessor comes again"),
        pytest.param(tail([6, 10, 7], start=5), 6, 7, id="what was lost is being published again"),
    ],
)
def test_a_log_is_whole_up_to(read: Tail, known: int, answer: int | None) -> None:
    assert whole_to(read, known) == answer
