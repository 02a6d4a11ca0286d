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

from deploy.demo.facts import facts_file
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
    command = [sys.executable, "-m", "deploy.demo"]
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


def fact(kind: str, time: str, **data: object) -> bytes:
    """A fact of the member `m` in 2017, New York's summer time."""
    envelope = {"type": kind, "subject": "m", "time": f"2017-{time}:00-04:00", "data": data}
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
