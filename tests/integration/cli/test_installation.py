"""The commands around a running installation: status, balance, history, explain, dead letters, rebuild."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from typer.testing import Result

from services.cli.supervise import ServiceProcess
from shared.broker import Outgoing
from shared.facts.builders import Publisher
from shared.facts.orders import OrderPaid
from shared.topics import Topics
from tests.eventually import eventually
from tests.integration.cli.conftest import Command, records_of
from tests.support.builders.sending import send

GROCER = Path(__file__).parents[3] / "deploy" / "programs" / "grocer.yaml"
WHEN = datetime.fromisoformat("2017-03-04T05:06:07-05:00")
SHOP = Publisher("grocer", "shop")


def order(number: int, member: str, subtotal: str, **changes: object) -> dict[str, Any]:
    line = {"line_id": "1", "sku": "s", "quantity": 1, "subtotal": subtotal, "categories": ["GROCERY"]}
    data = {"order_id": str(number), "currency": "USD", "lines": [line]}
    return SHOP.event(OrderPaid.TYPE, data, id=f"order-{number}", member=member, time=WHEN) | changes


def refund(number: int, member: str, amount: str) -> dict[str, Any]:
    data = {"order_id": str(number), "refund_id": f"r-{number}", "lines": [{"line_id": "1", "amount": amount}]}
    changes = {"id": f"refund-{number}", "type": "commerce.order.refunded.v1", "time": "2017-03-05T00:00:00Z"}
    return order(number, member, "0") | changes | {"data": data}


FACTS = [
    order(1, "ann", "40.00"),
    order(2, "ann", "120.50"),
    refund(1, "ann", "15.00"),
    order(3, "bob", "9.99"),
    order(3, "bob", "9.99"),
    order(4, "bob", "5.00", program="nobody"),
]


def at_once(directory: Path) -> Path:
    """The grocer's program, but its points can be spent as soon as they are earned."""
    text = GROCER.read_text("utf-8")
    assert "pending: {days: 7}" in text
    file = directory / "grocer.yaml"
    file.write_text(text.replace("pending: {days: 7}", "award: paid"), "utf-8")
    return file


@pytest.fixture
async def installation(
    command: Command, environment: dict[str, str], topics: Topics, tmp_path: Path
) -> AsyncIterator[Command]:
    """Both services at work on this test's servers, with a few facts decided and visible."""
    file = tmp_path / "facts.jsonl"
    file.write_text("".join(json.dumps(fact) + "\n" for fact in FACTS))
    await command("topics", "create")
    await command("program", "publish", str(at_once(tmp_path)))
    groups = {"EARNING_GROUP": f"{topics.points}.earning", "PROJECTIONS_GROUP": f"{topics.points}.projections"}
    services = [ServiceProcess(tmp_path, service) for service in ("earning", "projections")]
    try:
        for service in services:
            service.start(environment | groups)
        for service in services:
            service.await_ready()
        published = await command("publish", str(file), "--history", "--fix-retention")
        assert published.exit_code == 0, published.stderr
        await settled(command, len(FACTS))
        yield command
    finally:
        for service in services:
            service.stop()


async def settled(command: Command, records: int) -> dict[str, Any]:
    """The state once so many records are decided and all their point events visible."""
    said: dict[str, Any] = {}

    async def is_settled() -> bool:
        said.update(told(await command("status", "--json")))
        return bool(said["settled"]) and sum(topic["decided"] for topic in said["inputs"]) == records

    await eventually(is_settled, what=f"{records} records are decided and visible")
    return said


def told(result: Result) -> dict[str, Any]:
    """The one line of JSON a command has printed."""
    said: dict[str, Any] = json.loads(result.stdout)
    return said


async def test_everything_that_was_published_is_accounted_for(installation: Command, topics: Topics) -> None:
    state = await settled(installation, len(FACTS))
    [orders] = [topic for topic in state["inputs"] if topic["topic"] == topics.orders]
    assert [orders[fate] for fate in ("applied", "duplicate", "rejected", "dead_letter")] == [4, 1, 0, 1]
    assert orders["adds_up"]
    assert [service["ready"] for service in state["services"]] == [True, True]
    people = await installation("status")
    assert people.exit_code == 0
    assert "applied + duplicate + rejected + dead letters = 6" in people.stdout


async def test_a_balance_is_explained_down_to_the_order(installation: Command) -> None:
    # Order 1: 40, of which 25 are left; order 2: 120 and the big basket's 25.
    assert told(await installation("balance", "grocer", "ann", "--json"))["available"] == 25 + 145
    assert (
        "170 available + 0 pending − 0 owed = 185 earned − 15 reversed"
        in (await installation("balance", "grocer", "ann")).stdout
    )
    history = [
        json.loads(line) for line in (await installation("history", "grocer", "ann", "--json")).stdout.splitlines()
    ]
    assert [entry["change"] for entry in history] == [40, 145, -15]
    assert [entry["balance"] for entry in history] == [40, 185, 170]

    explained = told(await installation("explain", "grocer", "ann", "--json"))
    assert explained["adds_up"]
    assert [(lot["key"]["id"], lot["points"], lot["remaining"]) for lot in explained["lots"]] == [
        ("1", 40, 25),
        ("2", 145, 145),
    ]
    rules = {rule["rule"]: rule["points"] for rule in explained["lots"][1]["events"][0]["rules"]}
    assert rules == {"base": 120, "big-basket": 25}
    words = (await installation("explain", "grocer", "ann")).stdout
    assert "base: 120.5 × 1 = 120.5 → 120 points" in words
    assert "order 2 of shop" in words


async def test_a_refund_for_an_order_never_seen_waits_and_is_listed(installation: Command, tmp_path: Path) -> None:
    assert "nothing waits" in (await installation("waiting", "grocer")).stdout
    file = tmp_path / "more.jsonl"
    file.write_text(json.dumps(refund(9, "cat", "15.00")) + "\n")
    await installation("publish", str(file))
    await settled(installation, len(FACTS) + 1)
    listed = await installation("waiting", "grocer", "--json")
    assert listed.exit_code == 1
    waits = told(listed)
    assert (waits["member"], waits["key_id"], waits["reason"]) == ("cat", "9", "waits_for_order")
    assert "Noted until its order arrives." in (await installation("waiting", "grocer")).stdout

    file.write_text(json.dumps(order(9, "cat", "20.00")) + "\n")
    await installation("publish", str(file))
    await settled(installation, len(FACTS) + 2)
    assert (await installation("waiting", "grocer")).exit_code == 0


async def test_an_unknown_member_is_a_finding(installation: Command) -> None:
    for name in ("balance", "history", "explain"):
        unknown = await installation(name, "grocer", "nobody")
        assert (unknown.exit_code, unknown.stdout) == (1, "")
        assert "grocer/nobody has no points" in unknown.stderr


async def test_a_dead_letter_is_listed_shown_and_given_again_whole_and_takes_effect_once(
    installation: Command, tmp_path: Path, topics: Topics
) -> None:
    letter = told(await installation("dead-letters", "list", "--json"))
    assert (letter["reason"], letter["topic"]) == ("unknown_program", topics.orders)
    shown = told(await installation("dead-letters", "show", letter["place"], "--json"))
    assert json.loads(shown["value"]) == FACTS[5]
    assert shown["key"] == "nobody/bob"

    # The cause is mended: the program is published now. The same record then earns.
    program = tmp_path / "nobody.yaml"
    program.write_text(GROCER.read_text().replace("program: grocer", "program: nobody"))
    assert (await installation("program", "publish", str(program))).exit_code == 0
    retried = await installation("dead-letters", "retry", "--reason", "unknown_program", "--json")
    assert told(retried) == {"retried": 1}
    await settled(installation, len(FACTS) + 1)
    assert told(await installation("balance", "nobody", "bob", "--json"))["available"] == 5
    assert (await installation("dead-letters", "list")).stdout == "no dead letters\n"
    assert told(await installation("dead-letters", "list", "--all", "--json"))["state"] == "retried"

    place = letter["place"]
    assert told(await installation("dead-letters", "retry", place, place, "--json")) == {"retried": 1}
    state = await settled(installation, len(FACTS) + 2)
    assert told(await installation("balance", "nobody", "bob", "--json"))["available"] == 5
    assert sum(topic["duplicate"] for topic in state["inputs"]) == 2
    assert [(each["count"], each["open"], each["retried"]) for each in state["dead_letters"]] == [(1, 0, 1)]
    refused = await installation("dead-letters", "discard", place, "--why", "too late")
    assert refused.exit_code == 1
    assert "was given again at" in refused.stderr
    assert "discard that one" in refused.stderr


async def test_a_discarded_dead_letter_is_kept_with_the_reason_and_is_open_no_more(
    installation: Command, bootstrap_servers: str, topics: Topics
) -> None:
    before = await settled(installation, len(FACTS))
    assert [letter["open"] for letter in before["dead_letters"]] == [1]
    place = told(await installation("dead-letters", "list", "--json"))["place"]
    why = "a shop that was never ours"
    assert told(await installation("dead-letters", "discard", place, "--why", why, "--json")) == {"discarded": 1}

    assert (await installation("dead-letters", "list")).stdout == "no dead letters\n"
    listed = told(await installation("dead-letters", "list", "--all", "--json"))
    assert (listed["state"], listed["discarded_why"], listed["retried_at"]) == ("discarded", why, None)
    assert why in (await installation("dead-letters", "list", "--all")).stdout
    assert json.loads(told(await installation("dead-letters", "show", place, "--json"))["value"]) == FACTS[5]
    after = await settled(installation, len(FACTS))
    assert after["inputs"] == before["inputs"]
    assert [(letter["count"], letter["open"], letter["discarded"]) for letter in after["dead_letters"]] == [(1, 0, 1)]
    assert (await installation("verify")).exit_code == 0

    # Its topic gets it again, should that have lost it.
    await on_their_topic(bootstrap_servers, topics, 1)
    assert told(await installation("dead-letters", "republish", "--json")) == {"republished": 1}
    first, second = await on_their_topic(bootstrap_servers, topics, 2)
    assert (first.value, first.headers) == (second.value, second.headers)

    for again in (["retry", place], ["discard", place, "--why", "twice"]):
        refused = await installation("dead-letters", *again)
        assert refused.exit_code == 1
        assert "was discarded at" in refused.stderr
        assert why in refused.stderr
    assert told(await installation("dead-letters", "retry", "--reason", "unknown_program", "--json")) == {"retried": 0}


async def on_their_topic(bootstrap_servers: str, topics: Topics, number: int) -> list[ConsumerRecord]:
    """So many records, once they are on the dead-letter topic."""
    found: list[ConsumerRecord] = []

    async def there() -> bool:
        found[:] = await records_of(bootstrap_servers, topics.dead_letters, partitions=1)
        return len(found) == number

    await eventually(there, what=f"{number} records are on the dead-letter topic")
    return found


async def test_all_dead_letters_of_a_reason_are_discarded_once_somebody_says_yes(
    installation: Command, bootstrap_servers: str, topics: Topics
) -> None:
    strangers = {0: [Outgoing(b"?", b"?", ())] * 2}
    await send(bootstrap_servers, topics.orders, strangers)
    await send(bootstrap_servers, topics.points, strangers)
    await settled(installation, len(FACTS) + 2)

    async def all_found() -> bool:
        letters = (await installation("dead-letters", "list", "--json")).stdout.splitlines()
        return len(letters) == 1 + 2 + 2

    await eventually(all_found, what="foreign records of both topics are set aside")
    letters = [json.loads(line) for line in (await installation("dead-letters", "list", "--json")).stdout.splitlines()]
    [mine, *_] = [letter for letter in letters if letter["reason"] == "unknown_program"]
    foreign = next(letter for letter in letters if letter["service"] == "projections")
    refused = await installation("dead-letters", "retry", foreign["place"])
    assert refused.exit_code == 1
    assert "is no fact" in refused.stderr
    for reason in {letter["reason"] for letter in letters} - {mine["reason"]}:
        ask = await installation("dead-letters", "discard", "--reason", reason, "--why", "a test")
        assert ask.exit_code == 2
        assert "Add --yes" in ask.stderr
        assert (
            await installation("dead-letters", "discard", "--reason", reason, "--why", "a test", "--yes")
        ).exit_code == 0
    assert told(await installation("dead-letters", "list", "--json"))["place"] == mine["place"]


async def test_places_of_dead_letters_are_checked(command: Command, topics: Topics) -> None:
    assert (await command("dead-letters", "show", "no place")).exit_code == 2
    for arguments in (["show"], ["retry"], ["discard", "--why", "it is not there"]):
        unknown = await command("dead-letters", *arguments, f"{topics.orders}/0/999")
        assert unknown.exit_code == 1, arguments
        assert "dead-letters list --all" in unknown.stderr
    assert (await command("dead-letters", "retry")).exit_code == 2
    assert (await command("dead-letters", "discard", "--why", "which?")).exit_code == 2
    assert (await command("dead-letters", "discard", f"{topics.orders}/0/999", "--why", " ")).exit_code == 2


async def test_a_rebuild_is_identical_and_standings_too(installation: Command) -> None:
    checked = told(await installation("rebuild", "--check", "--json"))
    assert (checked["identical"], checked["swapped"], checked["events"]) == (True, False, 4)
    done = await installation("rebuild")
    assert done.exit_code == 0, done.stderr
    assert "identical; the views show generation" in done.stdout
    again = told(await installation("rebuild", "--standings", "--check", "--json"))
    assert (again["different"], again["events"]) == (0, 4)


async def test_a_postgres_that_does_not_answer_is_said(command: Command) -> None:
    nowhere = "postgresql://somebody:secret@127.0.0.1:1/loyalty"
    for arguments in (["status"], ["balance", "grocer", "ann"], ["dead-letters", "list"], ["rebuild", "--check"]):
        unreachable = await command(*arguments, POSTGRES_DSN=nowhere)
        assert unreachable.exit_code == 3, arguments
        assert "does not answer" in unreachable.stderr
        assert "secret" not in unreachable.stderr
