"""Earn: the transaction that decides a batch. After it all is there, journal, standings, counts; before it, nothing.

READ COMMITTED, in this order: lock the shards, each statement after it sees what their last owner has left; compare the
fences; load; decide; append to the journal; save; move the fences.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import NamedTuple, ParamSpec, TypeVar

import asyncpg
import msgspec
import structlog

from services.earning import failpoints
from services.earning.decide import decide, needs
from services.earning.decide.core.decision import Decision, Needs, Outcome
from services.earning.ledger import dead_letters, journal
from services.earning.ledger.batch import Counts, Earned, FenceMovedBackError, Input, Partition, Span, one_by_one
from services.earning.ledger.fences import bookmark_of
from services.earning.ledger.guard import catch_faults
from services.earning.ledger.journal import Entry, Head, Journal
from services.earning.ledger.load import NONE_ASKED, QUERIES, LoadedMember, WorkingSet, load, supply
from services.earning.ledger.save import save
from services.earning.program.registry import ProgramCache
from services.earning.program.terms import Versions
from services.earning.source_events.facts import Fact
from services.earning.state.standing import BusinessKey, RowsMissingError
from shared.errors import ConfigurationError, PermanentError
from shared.postgres import DATA_ERRORS
from shared.reasons import Reason
from shared.shards import shard_of
from shared.telemetry import RoomClock

log = structlog.get_logger(__name__)

NOTHING = Needs(())

P = ParamSpec("P")
R = TypeVar("R")


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
        Behind: an earlier batch failed: go back and read again.
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
    session, clock = place.session, place.clock
    async with session.transaction():
        with clock.measure("load"):
            book = await _lock(place, spans)
            spans = await _new(session, spans)
            inputs = _in_order(place, spans)
            holdings = WorkingSet(place.shards)
            tasks = [_task(one, one.fact, holdings) for one in inputs if one.fact]
            versions = await place.programs.load(session, {program for program, _ in holdings.wallets})
            latest = max((one.received_at for one in inputs), default=None)
            await load(session, holdings, {key for task in tasks for key in task.needed.keys}, latest)
        deciding = _Deciding(holdings, versions, book)
        for task in tasks:
            while (missing := deciding.settle(task)) is not None:
                await _give(session, holdings, task, missing)
        clock.add("load", 0.0, len(inputs))
        clock.add("decide", deciding.decide_s, len(inputs))
        clock.add("encode", deciding.encode_s, len(inputs))
        counts, reasons = _tally(spans)
        with clock.measure("save", len(inputs)):
            await journal.write(session, book.entries)
            await save(session, holdings)
            await dead_letters.write(session, spans)
            await _move(session, book, spans, counts)
            failpoints.reached(failpoints.Moment.BEFORE_COMMIT)
    failpoints.reached(failpoints.Moment.AFTER_COMMIT)
    return Earned(counts, reasons, len(book.entries)), book.entries


async def _give(session: asyncpg.Connection, holdings: WorkingSet, task: _Task, missing: RowsMissingError) -> None:
    """Load what a fact's decision asked for; one that asks for what it was given fails."""
    known = task.asked.issuperset(missing.keys) if missing.keys else False
    if known or not await supply(session, holdings, task.wallet, missing):
        task.one.error = dead_letters.internal_error(missing)
    task.asked = task.asked.union(missing.keys)


async def _lock(place: DecidingContext, spans: Sequence[Span]) -> Journal:
    facts = (one.fact for span in spans for one in span.inputs if one.fact)
    shards = sorted({shard_of(fact.program, fact.member, place.shards) for fact in facts})
    rows = await place.session.fetch(QUERIES["lock_shards"], shards)
    if len(rows) != len(shards):
        raise ConfigurationError(
            "Shards have no row to lock.", cure="Restore earning.shards; see docs/how-to/operate.md."
        )
    heads = {shard: Head(position, chain) for shard, position, chain, _ in rows}
    return Journal(heads, rows[0]["month"] if rows else date.min)


async def _new(session: asyncpg.Connection, spans: Sequence[Span]) -> list[Span]:
    """What of a batch is not decided yet, by the fences; they stay locked until the end."""
    rows = await session.fetch(
        QUERIES["lock_fences"], [span.topic for span in spans], [span.partition for span in spans]
    )
    stored = {(topic, partition): offset for topic, partition, offset, _ in rows}
    logs = {(topic, partition): log_number for topic, partition, _, log_number in rows}
    behind = {
        span.of: stored.get(span.of, -1)
        for span in spans
        # An offset of another log says nothing of where this one is.
        if stored.get(span.of, -1) < span.start or logs[span.of] != span.log
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
    """A fact to decide: its input, whose it is, the rows it needs, and keys that its decision `asked` for besides."""

    one: Input
    fact: Fact
    wallet: LoadedMember
    needed: Needs
    asked: frozenset[BusinessKey] = NONE_ASKED


def _task(one: Input, fact: Fact, holdings: WorkingSet) -> _Task:
    one.error = one.outcome = None  # what an attempt before this one has said
    return _Task(one, fact, holdings.wallet(fact.program, fact.member), _guarded(one, needs, fact) or NOTHING)


def _guarded(one: Input, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
    """Do a piece of pure work for an input; None: it can't be done, and the input's `error` says why.

    Raises:
        RowsMissingError: it can be done once more is loaded.
    """
    result = catch_faults(work, *args, **kwargs)
    if not isinstance(result, PermanentError):
        return result
    if result.reason == Reason.INTERNAL_ERROR:
        log.error("fact failed", topic=one.topic, partition=one.partition, offset=one.offset, error=str(result))
    one.error = result
    return None


class _Deciding:
    """The decisions of one transaction, one after the other, each seeing what those before have left."""

    def __init__(self, holdings: WorkingSet, versions: Mapping[str, Versions], book: Journal) -> None:
        self._holdings = holdings
        self._versions = versions
        self._book = book
        self.decide_s = 0.0
        self.encode_s = 0.0

    def settle(self, task: _Task) -> RowsMissingError | None:
        """Decide a fact: its input has an outcome, or an error. Otherwise gives what must be loaded first."""
        if task.one.error is not None:
            return None
        try:
            task.one.outcome = _guarded(task.one, self._settle, task)
        except RowsMissingError as missing:
            return missing
        return None

    def _settle(self, task: _Task) -> Outcome:
        began = time.perf_counter()
        decision = self._decision(task)
        decided = time.perf_counter()
        if decision.events:
            self._book.append(task.wallet.shard, decision.events)
        self._holdings.apply(task.wallet, decision)
        self.decide_s += decided - began
        self.encode_s += time.perf_counter() - decided
        return decision.outcome

    def _decision(self, task: _Task) -> Decision:
        fact, wallet = task.fact, task.wallet
        versions = self._versions[fact.program]
        if not versions.all:
            raise PermanentError(Reason.UNKNOWN_PROGRAM, f"no program is called {fact.program!r}", field="program")
        standing = wallet.standing
        decided_at = fact.received_at if standing is None else max(standing.decided_at, fact.received_at)
        rows = self._holdings.rows_for(wallet, task.needed.keys, task.asked)
        return decide(versions, standing, rows, fact, decided_at)


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


async def _move(
    session: asyncpg.Connection, book: Journal, spans: Sequence[Span], counts: Mapping[Partition, Counts]
) -> None:
    """Record how far the shards and the partitions have come."""
    if book.entries:
        await session.execute(QUERIES["update_shards"], *zip(*book.moved, strict=True))
    moved = [
        (
            *span.of,
            span.end,
            *msgspec.structs.astuple(counts[span.of]),
            max((o.received_at for o in span.inputs), default=None),
            *(bookmark_of(span.inputs) or (None, None, None)),
        )
        for span in spans
    ]
    if moved:
        await session.execute(QUERIES["update_fences"], *zip(*moved, strict=True))
