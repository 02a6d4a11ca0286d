"""Earn: the transaction that decides a batch. After it all is there, journal, standings, counts; before it, nothing.

What it adds to the ledger's own: after the heads its partitions' fences are locked and compared; at the end its dead
letters are written and the fences moved.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import asyncpg
import msgspec
import structlog

from services.earning import failpoints
from services.earning.decide import Needs, decide, needs
from services.earning.ledger import dead_letters, fences
from services.earning.ledger.batch import Counts, Earned, FenceMovedBackError, Input, Partition, Span, one_by_one
from services.earning.ledger.guard import catch_faults
from services.earning.ledger.journal import Entry
from services.earning.ledger.ledger import Ledger, deciding
from services.earning.ledger.transaction import transaction
from services.earning.ledger.working_set import LoadedMember
from services.earning.program.registry import ProgramCache
from services.earning.program.terms import Versions
from services.earning.source_events.facts import Fact
from shared.errors import PermanentError
from shared.postgres import DATA_ERRORS
from shared.reasons import Reason
from shared.shards import shard_of
from shared.telemetry import RoomClock

log = structlog.get_logger(__name__)

NOTHING = Needs(())


class DecidingContext(NamedTuple):
    """Where batches are decided: a session, the programs known there, the number of shards, the rank of each topic."""

    session: asyncpg.Connection
    programs: ProgramCache
    shards: int
    ranks: dict[str, int]
    clock: RoomClock


async def earn(place: DecidingContext, spans: Sequence[Span]) -> tuple[Earned, list[Entry]]:
    """Decide a batch and commit; gives what became of it, and the journal rows written.

    Where the database refuses the data of some fact, the batch is decided again fact by fact, each in a transaction of
    its own, and the guilty one becomes a dead letter.

    Raises:
        FenceMovedBackError: an earlier batch failed: go back and read again.
        asyncpg.PostgresError, OSError, TimeoutError: nothing, or the facts before, was decided; try again.
    """
    try:
        return await _in_one_transaction(place, spans)
    except DATA_ERRORS:
        log.exception("batch refused", partitions=[span.of for span in spans])
    return await _fact_by_fact(place, spans)


async def _fact_by_fact(place: DecidingContext, spans: Sequence[Span]) -> tuple[Earned, list[Entry]]:
    everything = Earned({}, {}, 0)
    entries: list[Entry] = []
    for single in one_by_one(spans):
        try:
            earned, written = await _in_one_transaction(place, [single])
        except DATA_ERRORS as error:
            log.exception("fact refused", topic=single.topic, partition=single.partition, offset=single.start)
            (one,) = single.inputs
            one.fact, one.error = None, dead_letters.internal_error(error)
            earned, written = await _in_one_transaction(place, [single])
        everything += earned
        entries += written
    return everything, entries


async def _in_one_transaction(place: DecidingContext, spans: Sequence[Span]) -> tuple[Earned, list[Entry]]:
    clock, began = place.clock, time.perf_counter()
    async with transaction(place.session, place.shards, _shards_of(place, spans), failpoints.COMMIT) as ledger:
        spans = await _new(place.session, spans)
        inputs = _in_order(place, spans)
        tasks = [_task(one, one.fact, ledger) for one in inputs if one.fact]
        versions = await place.programs.load(place.session, ledger.programs)
        latest = max((one.received_at for one in inputs), default=None)
        await ledger.rows.load({key for task in tasks for key in task.needed.keys}, latest)
        clock.add("load", time.perf_counter() - began, len(inputs))
        for task in tasks:
            if task.one.error is None:
                await _decide(ledger, versions[task.fact.program], task)
        clock.add("decide", ledger.decide_s, len(inputs))
        clock.add("encode", ledger.encode_s, len(inputs))
        counts, reasons = _tally(spans)
        with clock.measure("save", len(inputs)):
            await ledger.save()
            await dead_letters.write(place.session, spans)
            await _move(place.session, spans, counts)
    return Earned(counts, reasons, len(ledger.journal.entries)), ledger.journal.entries


def _shards_of(place: DecidingContext, spans: Sequence[Span]) -> set[int]:
    facts = (one.fact for span in spans for one in span.inputs if one.fact)
    return {shard_of(fact.program, fact.member, place.shards) for fact in facts}


async def _new(session: asyncpg.Connection, spans: Sequence[Span]) -> list[Span]:
    """What of a batch is not decided yet, by the fences; they stay locked until the end."""
    known = await fences.lock(session, [span.of for span in spans])
    stored = {of: offset for of, (offset, _) in known.items()}
    behind = {
        span.of: stored.get(span.of, -1)
        for span in spans
        # An offset of another log says nothing of where this one is.
        if stored.get(span.of, -1) < span.start or known[span.of][1] != span.log
    }
    if behind:
        raise FenceMovedBackError(behind)
    return [
        span._replace(start=stored[span.of], inputs=[one for one in span.inputs if one.offset >= stored[span.of]])
        for span in spans
        if stored[span.of] < span.end
    ]


def _in_order(place: DecidingContext, spans: Sequence[Span]) -> list[Input]:
    """The inputs in the order in which they are decided."""
    inputs = [one for span in spans for one in span.inputs]
    ranks = place.ranks
    # From batch to batch the lane aligns its inputs.
    inputs.sort(key=lambda one: (one.received_at, ranks[one.topic], one.offset))
    return inputs


class _Task(msgspec.Struct):
    """A fact to decide: its input, whose it is, and the rows it needs."""

    one: Input
    fact: Fact
    member: LoadedMember
    needed: Needs


def _task(one: Input, fact: Fact, ledger: Ledger) -> _Task:
    one.error = one.outcome = None  # what an attempt before this one has said
    needed = catch_faults(needs, fact)
    if isinstance(needed, PermanentError):
        _fail(one, needed)
        needed = NOTHING
    return _Task(one, fact, ledger.member(fact.program, fact.member), needed)


def _fail(one: Input, error: PermanentError) -> None:
    if error.reason == Reason.INTERNAL_ERROR:
        log.error("fact failed", topic=one.topic, partition=one.partition, offset=one.offset, error=str(error))
    one.error = error


async def _decide(ledger: Ledger, versions: Versions, task: _Task) -> None:
    """Decide a fact: its input has an outcome, or an error."""
    fact, member = task.fact, task.member
    if not versions.all:
        error = PermanentError(Reason.UNKNOWN_PROGRAM, f"no program is called {fact.program!r}", field="program")
        _fail(task.one, error)
        return
    work = deciding(decide, versions, member.standing, fact)
    decision = await ledger.attempt(member, task.needed.keys, work)
    if isinstance(decision, PermanentError):
        _fail(task.one, decision)
    else:
        task.one.outcome = decision.outcome


def _tally(spans: Sequence[Span]) -> tuple[dict[Partition, Counts], dict[str, int]]:
    counts = {span.of: Counts() for span in spans}
    reasons: dict[str, int] = {}
    for span in spans:
        tally = counts[span.of]
        for one in span.inputs:
            if one.error is not None:
                tally.dead_letter += 1
                reasons[one.error.reason] = reasons.get(one.error.reason, 0) + 1
            elif one.outcome is not None:
                tally.add(one.outcome)
    return counts, reasons


async def _move(session: asyncpg.Connection, spans: Sequence[Span], counts: Mapping[Partition, Counts]) -> None:
    """Record how far the partitions have come."""
    moved = [
        (
            *span.of,
            span.end,
            *msgspec.structs.astuple(counts[span.of]),
            max((o.received_at for o in span.inputs), default=None),
            *(fences.bookmark_of(span.inputs) or (None, None, None)),
        )
        for span in spans
    ]
    await fences.move(session, moved)
