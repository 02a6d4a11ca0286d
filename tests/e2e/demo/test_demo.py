"""The demo from outside: it ends well, and what its tables say is what an independent count comes to."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from services.cli.demo.facts import facts_file
from shared.topics import Topics
from tests.e2e.demo.recount import Member, Word, recount, steps_of

PROJECT = Path(__file__).parents[3]
SMALL_ONE_HOUSEHOLD_IN = 12

_ACCOUNTS = """
SELECT b.member, b.available, b.pending, b.deficit, b.earned, b.reversed, b.redeemed, b.expired, b.expired_reversed,
    coalesce(t.tier, 'bronze') AS tier
FROM loyalty.balances b LEFT JOIN loyalty.tiers t USING (program, member)
ORDER BY b.member
"""
_LOG = "SELECT bytes FROM earning.journal ORDER BY shard, position"
_HISTORY_ENDS = """
SELECT DISTINCT ON (member) member, balance FROM loyalty.history ORDER BY member, sequence DESC
"""


@pytest.fixture
def environment(tmp_path: Path, bootstrap_servers: str, dsn: str, topics: Topics) -> dict[str, str]:
    """The demo on this test session's servers, with topics, groups and a directory of its own."""
    return {
        **os.environ,
        **{f"TOPIC_{name.upper()}": value for name, value in topics.model_dump().items()},
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "POSTGRES_DSN": dsn,
        "EARNING_GROUP": f"{topics.points}.earning",
        "PROJECTIONS_GROUP": f"{topics.points}.projections",
        "TALLYSTICK_DIRECTORY": str(tmp_path),
        "DEMO": os.environ.get("TALLYSTICK_TEST_DEMO", "small"),
        "KEEP": "",
    }


@pytest.mark.timeout(600)
async def test_every_member_has_what_an_independent_count_comes_to(environment: dict[str, str], dsn: str) -> None:
    command = [sys.executable, "-m", "services.cli.demo"]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NO" not in [line.split()[0] for line in done.stdout.splitlines() if line.strip()], done.stdout
    assert "derived by the fixed seed" in done.stdout.replace("\n", " ")

    one_in = SMALL_ONE_HOUSEHOLD_IN if environment["DEMO"] == "small" else 1
    with facts_file(one_household_in=one_in, progress=lambda _read, _total: None).path.open("rb") as lines:
        facts: dict[str, bytes] = {}
        for line in lines:
            facts.setdefault(json.loads(line)["id"], line)  # what was delivered twice was decided the first time
    connection = await asyncpg.connect(dsn)
    try:
        steps = list(steps_of(json.loads(bytes(row["bytes"])) for row in await connection.fetch(_LOG)))
        accounts = await connection.fetch(_ACCOUNTS)
        ends = {row["member"]: row["balance"] for row in await connection.fetch(_HISTORY_ENDS)}
    finally:
        await connection.close()
    assert {step for step in steps if isinstance(step, str)} == set(facts)
    expected = recount(step if isinstance(step, Word) else facts[step] for step in steps)
    assert all(account.adds_up for account in expected.values())
    counted = {member: figures(account) for member, account in expected.items()}
    assert {row["member"]: tuple(row)[1:] for row in accounts} == counted
    assert ends == {member: account.available for member, account in expected.items()}


def figures(account: Member) -> tuple[object, ...]:
    """A member's account as the tables tell it."""
    went = (account.reversed, account.redeemed, account.expired, account.expired_reversed)
    return (account.available, account.pending, account.deficit, account.earned, *went, account.tier)


def fact(kind: str, time: str, member: str = "m", /, **data: object) -> bytes:
    """A fact of a member in 2017, New York's summer time."""
    envelope = {"type": kind, "subject": member, "time": f"2017-{time}:00-04:00", "data": data}
    return json.dumps(envelope).encode()


ORDER = fact(
    "commerce.order.paid.v1",
    "05-01T10:00",
    order_id="1",
    discount="10.00",
    lines=[
        {"line_id": "1", "subtotal": "99.99", "categories": ["GROCERY"]},
        {"line_id": "2", "subtotal": "20.00", "categories": ["PRODUCE"]},
    ],
)
BACK = [{"line_id": "2", "amount": "18.33"}]
REFUND = fact("commerce.order.refunded.v1", "05-02T10:00", order_id="1", refund_id="r", lines=BACK)


def spend(time: str, points: int) -> bytes:
    """A redemption of points; its time is its id."""
    return fact("loyalty.redemption.requested.v1", time, redemption_id=time, points=points)


def test_the_recount_knows_the_rules_by_hand() -> None:
    """99.99 + 20.00 of produce, a 10.00 coupon over both, then the produce comes back: worked out on paper.

    Shares of the coupon: 8.33 and 1.67 (largest remainder); so 91.66 and 18.33 = 109.99 USD: 109 + floor(9.165) + 25.
    Without the produce 91.66 are left: 91, and below the 100 of the big basket.
    """
    assert recount([ORDER])["m"].pending == 109 + 9 + 25
    assert recount([ORDER, REFUND])["m"].pending == 91
    assert recount([REFUND, ORDER, REFUND])["m"].pending == 91


def test_the_recount_knows_the_life_of_a_point_by_hand() -> None:
    """Paid on 1 May with 7 days to wait: spendable as the 9th begins, gone as 10 November begins."""
    early, first = spend("05-08T23:59", 40), spend("05-09T00:00", 40)
    assert recount([ORDER, early])["m"].redeemed == 0
    assert figures(recount([ORDER, first])["m"])[:3] == (103, 0, 0)
    assert recount([ORDER, first, spend("11-09T22:00", 1)])["m"].expired == 0  # 22:00 in summer time is 21:00 by then
    assert recount([ORDER, first, spend("11-10T01:00", 1)])["m"].expired == 103
    # All of it comes back after 40 were spent and 103 had ended: 103 were taken from nobody, 40 are owed.
    cancel = fact("commerce.order.cancelled.v1", "11-11T10:00", order_id="1")
    assert figures(recount([ORDER, first, cancel])["m"]) == (0, 0, 40, 143, 143, 40, 103, 103, "bronze")


def order(number: str, time: str, subtotal: str, *, units: int = 1, member: str = "m") -> bytes:
    """An order of one line from the bakery."""
    line = {"line_id": "1", "subtotal": subtotal, "quantity": units, "categories": ["PASTRY"]}
    return fact("commerce.order.paid.v1", time, member, order_id=number, lines=[line])


def cancel(number: str, time: str, member: str = "m") -> bytes:
    return fact("commerce.order.cancelled.v1", time, member, order_id=number)


def review(change: str, time: str, number: str = "r", **data: object) -> bytes:
    content = {} if change == "removed" else {"product_id": "p", "verified": True, "photos": 0, "length": 20} | data
    return fact(f"commerce.review.{change}.v1", time, review_id=number, **content)


def test_the_recount_knows_the_bonus_weekend_by_hand() -> None:
    """10.75 USD: 10 points, and 21 from the 13th of May, 00:00, to the end of the 14th."""
    days = {"05-12T23:59": 10, "05-13T00:00": 21, "05-14T23:59": 21, "05-15T00:00": 10}
    assert {time: recount([order("1", time, "10.75")])["m"].pending for time in days} == days


def test_the_recount_knows_reviews_by_hand() -> None:
    first, photo, gone = review("published", "05-01T10:00"), review("updated", "05-02T10:00", photos=1), "05-03T10:00"
    again, without = review("published", "05-02T11:00", "s", photos=1), review("updated", "05-03T10:00")
    removed = review("removed", gone)
    cases: list[tuple[list[bytes], int]] = [
        ([first], 5),
        ([first, photo], 15),
        ([photo, first], 15),
        ([first, photo, without], 5),
        ([first, photo, removed], 0),
        ([removed, first], 0),
        ([first, again], 5),
        ([first, again, removed], 0),  # who was refused stays so
        ([first, removed, again], 15),
        ([review("published", "05-01T10:00", length=19)], 0),
        ([review("published", "05-01T10:00", verified=False)], 0),
    ]
    assert [recount(facts)["m"].available for facts, _ in cases] == [points for _, points in cases]


def test_the_recount_knows_stamp_cards_by_hand() -> None:
    """25 points for each 10 pieces, at once; they go with the pieces, and come again with others."""
    first, more = order("1", "05-01T10:00", "1", units=9), order("2", "05-02T10:00", "1", units=12)
    back = [{"line_id": "1", "quantity": 2, "amount": "0.10"}]
    refund = fact("commerce.order.refunded.v1", "05-03T10:00", order_id="2", refund_id="r", lines=back)
    assert recount([first])["m"].available == 0
    assert recount([first, more])["m"].available == 50
    assert recount([first, more, refund])["m"].available == 25
    assert recount([first, more, refund, order("3", "05-04T10:00", "1")])["m"].available == 50
    assert recount([first, more, cancel("2", "05-04T10:00")])["m"].available == 0


def told(*signals: str, by: str = "m", amount: str = "10.00") -> list[bytes]:
    """The member `n` came by somebody and ordered."""
    referral = {"referral_id": "f", "referrer_id": by}
    data = {**referral, "order_id": "1", "signals": dict.fromkeys(signals, True)}
    return [
        fact("commerce.referral.joined.v1", "05-01T09:00", "n", **referral),
        fact("commerce.referral.completed.v1", "05-01T09:59", "n", **data),
        order("1", "05-01T10:00", amount, member="n"),
    ]


TO_REFERRER, TO_REFEREE = Word("m", "f", to_referrer=True), Word("n", "f", to_referrer=False)


def test_the_recount_knows_referrals_by_hand() -> None:
    """Who brought gets 150, who came 50 beside the 10 of the order; all of it waits for 7 whole days."""
    both = recount([TO_REFERRER, *told(), TO_REFEREE])  # a word is heard once it is said
    assert (both["m"].pending, both["n"].pending) == (150, 60)
    gone = recount([*told(), TO_REFERRER, TO_REFEREE, cancel("1", "06-20T10:00", "n"), TO_REFERRER])
    assert [figures(gone[member])[:5] for member in "mn"] == [(0, 0, 0, 150, 150), (0, 0, 0, 60, 60)]
    for nothing in (told("same_device"), told("same_payment"), told(by="n"), told(amount="9.99")):
        with pytest.raises(AssertionError, match="nobody has said"):
            recount([*nothing, TO_REFERRER])
    heard: tuple[list[Word], ...] = ([], [TO_REFERRER])
    for some in heard:
        with pytest.raises(AssertionError, match="nobody has heard"):
            recount([*told(), *some])
    before = [order("0", "04-30T10:00", "5", member="n"), *told()]
    with pytest.raises(AssertionError, match="nobody has said"):
        recount([*before, TO_REFERRER])
