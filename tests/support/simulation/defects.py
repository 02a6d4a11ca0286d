"""Defects: small wrong changes of the services, planted while a world runs, to see that the simulation would notice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.earning.background import holds, sweep
from services.earning.intake import earn, lane
from services.earning.intake.lane import Lane
from services.earning.ledger import dead_letters as earning_dead_letters
from services.earning.ledger import journal, save, transaction
from services.earning.ledger.batch import Span
from services.earning.ledger.load import PostgresRows
from services.earning.ledger.working_set import WorkingSet
from services.earning.relay import emit, log_check
from services.earning.relay.emit import Relay
from services.earning.relay.log_check import LogCheck
from services.projections import positions, project
from services.projections.positions import Fence, Followed, Received
from shared.broker import NOWHERE, Written, publish
from shared.consumer_watch import Watchdog
from shared.postgres import TRANSIENT_ERRORS
from tests.support.simulation.loop import Host, here
from tests.support.simulation.postgres import Backend, statement
from tests.support.simulation.servers import taking
from tests.support.simulation.session import Session
from tests.support.simulation.shop import PROGRAM
from tests.support.simulation.statements import statements
from tests.support.simulation.tables import Shard

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]


def _lock_shards(patch: Patch, work: Callable[..., Any]) -> None:
    text = work.__name__
    patch.setitem(transaction.QUERIES._statements, "lock_shards", text)
    double = statement(text, "shard position chain month", work)
    patch.setitem(statements(), text, double)


def shards_are_not_locked(patch: Patch) -> None:
    """Two workers decide facts of one shard at the same time."""

    def read_shards(backend: Backend, shards: Sequence[int]) -> list[tuple[Any, ...]]:
        rows = [backend.get(Shard, (shard,)) for shard in sorted(shards)]
        return [(*row, backend.now().date()) for row in rows if row is not None]

    _lock_shards(patch, read_shards)


def shards_are_read_before_the_wait(patch: Patch) -> None:
    """The head of a shard is that of before its lock was waited for."""

    def read_then_lock(backend: Backend, shards: Sequence[int]) -> Any:
        rows = [backend.get(Shard, (shard,)) for shard in sorted(shards)]
        for shard in sorted(shards):
            yield from backend.lock(Shard, (shard,))
        return [(*row, backend.now().date()) for row in rows if row is not None]

    _lock_shards(patch, read_then_lock)


def fences_are_not_compared(patch: Patch) -> None:
    """A batch is decided wherever the fence is."""

    async def new(_: Session, spans: Sequence[Span]) -> list[Span]:
        return list(spans)

    patch.setattr(earn, "_new", new)


def fences_stay(patch: Patch) -> None:
    """What is decided is not recorded as decided."""
    move = earn._move

    async def moved(session: Any, spans: Sequence[Span], counts: Any) -> None:
        await move(session, [span._replace(end=span.start) for span in spans], counts)

    patch.setattr(earn, "_move", moved)


def a_failed_batch_is_taken_for_decided(patch: Patch) -> None:
    """After an error of the database the lane goes on with what comes next."""
    settle = Lane._settle

    async def settled(self: Lane, spans: list[Span]) -> None:
        generation = self._generation
        await settle(self, spans)
        if self._session is None:
            self._generation = generation
            self._assignment.consumer.resume(*self.positions)

    patch.setattr(Lane, "_settle", settled)


def standings_are_remembered(patch: Patch) -> None:
    """A standing read once is not read again, though another worker may have written it."""
    remembered: dict[tuple[Host, str, str], Any] = {}
    read = PostgresRows._load_standings

    async def loaded(self: PostgresRows) -> None:
        await read(self)
        for (program, name), member in self._working_set.members.items():
            member.standing = remembered.setdefault((here(), program, name), member.standing)

    patch.setattr(PostgresRows, "_load_standings", loaded)


def _without_transactions(patch: Patch, role: str) -> None:
    begin = Session.transaction

    @asynccontextmanager
    async def nothing() -> Any:
        yield

    def transaction(self: Session) -> Any:
        return nothing() if self._settings.get("role") == role else begin(self)

    patch.setattr(Session, "transaction", transaction)


def earning_has_no_transaction(patch: Patch) -> None:
    """Every statement of a decision commits by itself."""
    _without_transactions(patch, "earning")


def projections_have_no_transaction(patch: Patch) -> None:
    """Every statement of a fold commits by itself."""
    _without_transactions(patch, "projector")


def published_before_commit(patch: Patch) -> None:
    """The relay gets the rows of a transaction before it has ended."""
    relays: dict[Host, Relay] = {}
    write, attempt = journal.write, Relay.attempt

    async def attempted(self: Relay, works: Any) -> None:
        relays[here()] = self
        await attempt(self, works)

    async def written(session: Any, entries: Sequence[Any]) -> None:
        await write(session, entries)
        if entries and here() in relays:
            relays[here()].offer(entries)

    patch.setattr(Relay, "attempt", attempted)
    patch.setattr(journal, "write", written)


def recorded_before_acknowledged(patch: Patch) -> None:
    """The relay notes as published what it has only sent."""
    send = publish

    async def sent(to: Any, topic: str, records: Mapping[int, Iterable[Any]]) -> dict[int, Written]:
        sending = asyncio.ensure_future(send(to, topic, records))
        sending.add_done_callback(lambda task: task.cancelled() or task.exception())
        return dict.fromkeys(records, NOWHERE)

    patch.setattr(emit, "publish", sent)


def published_out_of_order(patch: Patch) -> None:
    """The relay publishes the newest rows first."""
    records = emit._records
    patch.setattr(emit, "_records", lambda entries: records(entries)[::-1])


def holes_are_not_looked_for(patch: Patch) -> None:
    """The relay goes on after a log that has lost what was published, and never looks at it while it works."""

    async def holes(*_: Any) -> dict[int, int]:
        return {}

    patch.setattr(LogCheck, "check_published", holes)
    patch.setattr(log_check, "CHECK_LOG_EVERY_S", 3600.0)


def dead_letters_are_dropped(patch: Patch) -> None:
    """Poison is counted and not kept."""

    async def written(*_: Any) -> None:
        return

    patch.setattr(earning_dead_letters, "write", written)


def messages_are_lost(patch: Patch) -> None:
    """What a decision means for another member is not put into their inbox."""
    insert = save.insert

    async def inserted(session: Any, table: str, columns: Any, rows: Any) -> None:
        if table != "inbox":
            await insert(session, table, columns, rows)

    patch.setattr(save, "insert", inserted)


def what_is_swept_is_not_saved(patch: Patch) -> None:
    """The sweeper writes events and leaves the standings as they were."""

    @asynccontextmanager
    async def begun(*arguments: Any) -> Any:
        async with transaction.transaction(*arguments) as ledger:
            save_all = ledger.save

            async def save_events() -> None:
                ledger.working_set = WorkingSet(1)
                await save_all()

            ledger.save = save_events  # type: ignore[method-assign]
            yield ledger

    patch.setattr(sweep, "transaction", begun)


def the_sweeper_sleeps(patch: Patch) -> None:
    """Nobody whose time has come is brought forward."""

    async def held(*_: Any) -> list[str]:
        return [PROGRAM]

    patch.setattr(holds, "held", held)


def readers_skip_what_is_missing(patch: Patch) -> None:
    """A reader takes the next record it sees for the next position."""
    follow = positions.follow

    def followed(fence: Fence, records: Iterable[Received], read_to: int | None = None) -> Followed:
        new = [record for record in records if record.position > fence.position]
        if new and new[0].position > fence.position + 1:
            fence = Fence(fence.partition, new[0].position - 1, fence.hash, fence.next_offset)
        return follow(fence, new, read_to)

    patch.setattr(positions, "_stop", lambda *_: None)
    patch.setattr(project, "follow", followed)


def readers_fold_again_what_they_know(patch: Patch) -> None:
    """A reader folds whatever record comes."""

    def followed(fence: Fence, records: Iterable[Received], read_to: int | None = None) -> Followed:
        taken = list(records)
        last = taken[-1] if taken else None
        moved = fence if last is None else Fence(fence.partition, last.position, last.hash, read_to or last.offset + 1)
        return Followed(moved, taken, [])

    patch.setattr(project, "follow", followed)


def errors_of_the_database_end_a_lane(patch: Patch) -> None:
    """A session that is cut is not expected."""
    patch.setattr(lane, "TRANSIENT_ERRORS", tuple(set(TRANSIENT_ERRORS[2:]) - {OSError}))


def nobody_watches_the_clients(patch: Patch) -> None:
    """A consumer that has died in silence is kept."""

    async def looked(_: Watchdog) -> None:
        return

    patch.setattr(Watchdog, "look", looked)


def what_hangs_is_taken_for_alive(patch: Patch) -> None:
    """Only tasks are looked at, and not whether positions move."""
    patch.setattr(Watchdog, "_count", lambda *_: None)


DEFECTS: tuple[Plant, ...] = taking(globals(), patch="Patch")
