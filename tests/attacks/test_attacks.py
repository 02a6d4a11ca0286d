"""The attacks that are cheap, on the servers of this test session: each promise that they go for holds."""

from __future__ import annotations

import pytest

from deploy.local_stack import LocalStack
from tests.attacks.registered import ATTACKS, OPEN
from tests.attacks.striking import strike

QUICK = [id for id, attack in ATTACKS.items() if attack.quick and id not in OPEN]


def test_each_attack_that_is_said_to_succeed_exists() -> None:
    assert set(ATTACKS) >= OPEN


def test_each_attack_says_what_it_does_and_what_was_promised() -> None:
    assert [id for id, attack in ATTACKS.items() if not attack.how or not attack.promise] == []


@pytest.mark.parametrize("id", QUICK)
async def test_the_promise_holds_under_attack(id: str, stack: LocalStack, dsn: str) -> None:
    outcome = await strike(ATTACKS[id], stack.endpoints.bootstrap_servers, dsn)
    assert outcome.held, f"{id}: {outcome.what}"
