"""The demo from outside: it ends well, and what its tables say is what an independent count comes to."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from deploy.demo.facts import facts_file
from shared.topics import Topics
from tests.e2e.demo.recount import recount

PROJECT = Path(__file__).parents[3]
SMALL_ONE_HOUSEHOLD_IN = 12

_ACCOUNTS = """
SELECT b.member, b.available, b.earned, b.reversed, coalesce(t.tier, 'bronze') AS tier
FROM loyalty.balances b LEFT JOIN loyalty.tiers t USING (program, member)
ORDER BY b.member
"""
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
        expected = recount(lines)
    connection = await asyncpg.connect(dsn)
    try:
        accounts = await connection.fetch(_ACCOUNTS)
        ends = {row["member"]: row["balance"] for row in await connection.fetch(_HISTORY_ENDS)}
    finally:
        await connection.close()
    counted = {
        member: (account.points, account.earned, account.reversed, account.tier) for member, account in expected.items()
    }
    assert {row["member"]: tuple(row)[1:] for row in accounts} == counted
    assert ends == {member: account.points for member, account in expected.items()}


def test_the_recount_knows_the_rules_by_hand() -> None:
    """99.99 + 20.00 of produce, a 10.00 coupon over both, then the produce comes back: worked out on paper.

    Shares of the coupon: 8.33 and 1.67 (largest remainder); so 91.66 and 18.33 = 109.99 USD: 109 + floor(9.165) + 25.
    Without the produce 91.66 are left: 91, and below the 100 of the big basket.
    """
    order = (
        b'{"type":"commerce.order.paid.v1","subject":"m","time":"2017-05-01T10:00:00-04:00","data":{"order_id":"1",'
        b'"discount":"10.00","lines":[{"line_id":"1","subtotal":"99.99","categories":["GROCERY"]},'
        b'{"line_id":"2","subtotal":"20.00","categories":["PRODUCE"]}]}}'
    )
    refund = (
        b'{"type":"commerce.order.refunded.v1","subject":"m","time":"2017-05-02T10:00:00-04:00","data":{"order_id":"1",'
        b'"refund_id":"r","lines":[{"line_id":"2","amount":"18.33"}]}}'
    )
    assert recount([order])["m"].points == 109 + 9 + 25
    assert recount([order, refund])["m"].points == 91
    assert recount([refund, order, refund])["m"].points == 91
