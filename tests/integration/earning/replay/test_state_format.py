"""State of another format is not read: who comes is told what to do, and a rebuild puts it into this code's format."""

from __future__ import annotations

import pytest

from services.earning import installation
from services.earning.installation import open_for_work, state_format
from services.earning.replay.rederive import rederive
from services.earning.state.standing import FORMAT
from shared.errors import ConfigurationError, UnreadableEventError
from shared.postgres import connect
from tests.integration.earning.earning_rig import SHARDS, Counter, claimed
from tests.integration.earning.earning_rig import span as one_span
from tests.integration.earning.replay.test_rederive import some_history, state
from tests.support.databases import execute

PARTITIONS = {"orders": SHARDS, "points": SHARDS}
UNREADABLE = b"\xc1"
"""A byte that no MessagePack begins with: state as another format may have it."""


NEWER = FORMAT + 1
"""The format of a version to come."""


async def some_state(counter: Counter) -> dict[str, list[tuple[object, ...]]]:
    """State with rows on their way from a claimed member; gives what is there."""
    await some_history(counter)
    await counter.earn(one_span([claimed("bob", by="ann")], start=14))
    await counter.take_messages("bob")
    return await state(counter)


async def made_unreadable(counter: Counter) -> None:
    for table in ("standings", "keys", "lots"):
        await counter.session.execute(f"UPDATE earning.{table} SET body = $1", UNREADABLE)  # noqa: S608 - our own names


async def test_a_new_installation_has_this_codes_format(counter: Counter) -> None:
    assert await state_format(counter.session) == FORMAT
    assert await open_for_work(counter.session, PARTITIONS) == SHARDS


async def test_nobody_works_on_an_older_format(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "FORMAT", NEWER)
    for work in (open_for_work(counter.session, PARTITIONS), rederive(counter.dsn, check=True)):
        with pytest.raises(ConfigurationError, match=f"of format {FORMAT}, .* `tallystick rebuild --standings`"):
            await work


async def test_older_code_works_on_nothing_of_a_newer_format(counter: Counter) -> None:
    await counter.session.execute("UPDATE earning.installation SET state_format = $1", NEWER)
    await made_unreadable(counter)
    for work in (
        open_for_work(counter.session, PARTITIONS),
        rederive(counter.dsn, check=True),
        rederive(counter.dsn, check=False),
    ):
        with pytest.raises(ConfigurationError, match=f"of format {NEWER}, and this code is older"):
            await work
    assert await state_format(counter.session) == NEWER


async def test_a_rebuild_puts_an_older_format_into_this_codes_without_reading_it(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = await some_state(counter)
    await made_unreadable(counter)
    monkeypatch.setattr(installation, "FORMAT", NEWER)
    report = await rederive(counter.dsn, check=False)
    assert (report.reformatted, report.swapped, report.different, report.standings) == (True, True, 0, 3)
    assert await state(counter) == good
    assert await open_for_work(counter.session, PARTITIONS) == SHARDS
    assert not (await rederive(counter.dsn, check=True)).reformatted


async def test_a_rebuild_waits_until_no_process_of_earning_knows_the_old_format(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await connect(counter.dsn, role="earning", application="tallystick-earning-1")
    monkeypatch.setattr(installation, "FORMAT", NEWER)
    with pytest.raises(ConfigurationError, match="Stop every earning process"):
        await rederive(counter.dsn, check=False)
    assert await state_format(counter.session) == FORMAT
    await worker.close()


async def test_a_rebuild_that_was_cut_off_leaves_no_format_that_anybody_reads(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = await some_state(counter)
    await execute(counter.dsn, "UPDATE earning.journal SET shard = shard + 100 WHERE position = 2")
    monkeypatch.setattr(installation, "FORMAT", NEWER)
    with pytest.raises(UnreadableEventError):
        await rederive(counter.dsn, check=False)
    for code in (FORMAT, NEWER):
        monkeypatch.setattr(installation, "FORMAT", code)
        with pytest.raises(ConfigurationError, match="half way to another format"):
            await open_for_work(counter.session, PARTITIONS)
    await execute(counter.dsn, "UPDATE earning.journal SET shard = shard - 100 WHERE shard >= 100")
    assert (await rederive(counter.dsn, check=False)).reformatted
    assert await state(counter) == good
