"""What is derived from a golden log: standings, keys and lots, the read models' rows, and what the checker says."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from datetime import date
from typing import Any, NamedTuple, cast

import msgspec
from aiokafka import TopicPartition

from services.earning.ledger.journal import Head, Journal
from services.earning.ledger.ledger import Ledger
from services.earning.ledger.memory import MemoryRows, at_once
from services.earning.program.authoring.check import check
from services.earning.program.compile import compile_versions
from services.earning.program.terms import Versions
from services.earning.replay.decisions import decisions, logged_event
from services.earning.replay.decisions import replay as decide_again
from services.projections.decode import decode_partition
from services.projections.models import history, members
from services.projections.models.history.fold import HistoryRow
from services.projections.models.members.fold import MemberRow
from services.projections.positions import Fence
from services.projections.project import fold_all, follow_all
from services.verify.checker import quiet
from services.verify.findings import Report
from services.verify.ledger import Shard
from services.verify.log import Log
from services.verify.walk import QUERIES, Snapshot, Tables, Walk, Walked
from shared.codec import CHAIN_START
from shared.topics import Topics
from tests.contract.golden_log import PROGRAM, PROGRAMS, SHARDS, LogRecord, by_shard


def versions() -> Versions:
    """The program that the facts were decided by."""
    documents = [check(file.read_bytes(), file.name) for file in PROGRAMS]
    return compile_versions([(document, document.effective_from) for document in documents])


class Replayed(NamedTuple):
    """A shard decided again: the bytes of its events, and its state."""

    events: list[bytes]
    state: MemoryRows


def replay(log: list[LogRecord]) -> list[Replayed]:
    """Decide every decision of a log again, shard by shard, from what the log alone says."""
    return [_replay_shard(shard, records) for shard, records in by_shard(log).items()]


def _replay_shard(shard: int, records: list[LogRecord]) -> Replayed:
    programs, state = {PROGRAM: versions()}, MemoryRows(SHARDS)
    journal = Journal({shard: Head(0, CHAIN_START)}, date.min)
    ledger = Ledger(state, state, journal)
    logged = [logged_event(shard, record.position, record.type, record.value) for record in records]
    for events in decisions(logged):
        at_once(decide_again(ledger, programs, events))
    return Replayed([entry.bytes for entry in journal.entries], state)


def state_files(replayed: Iterable[Replayed]) -> dict[str, bytes]:
    """Standings, keys and lots as files: a JSON line each, in order of their names."""
    states = [one.state for one in replayed]
    members = sorted((member for state in states for member in state.members.values()), key=lambda member: member.of)
    keys = sorted((row for state in states for row in state.keys.values()), key=lambda row: row.key)
    lots = [{"member": member.member, "lot": lot} for member in members for _, lot in sorted(member.lots.items())]
    return {
        "standings.jsonl": _lines(member.standing for member in members),
        "keys.jsonl": _lines(keys),
        "lots.jsonl": _lines(lots),
    }


class ReadModels(NamedTuple):
    """The rows of history in order of position, shard by shard, and those of members by name."""

    history: list[HistoryRow]
    members: dict[tuple[str, str], MemberRow]


def fold(log: list[LogRecord]) -> ReadModels:
    """Fold a log as the projections do."""
    decoded = [decode_partition(shard, records) for shard, records in by_shard(log).items()]
    followed = follow_all({shard: Fence(shard) for shard in range(SHARDS)}, decoded)
    assert not [one.stop for one in followed if one.stop or one.beyond or one.known]
    assert not [letter for one in decoded for letter in one.foreign]
    events, states = history.MODEL.begin(), members.MODEL.begin()
    for one in followed:
        fold_all(one.applied, [events, states])
    return ReadModels(list(events.take_appended()), states._rows)  # type: ignore[arg-type, attr-defined]


def read_model_files(models: ReadModels) -> dict[str, bytes]:
    """The rows of the read models as files: a JSON object a line, column by column, rules as the view says them."""
    rows = [row._replace(hash=cast("bytes", row.hash.hex()), rules=_in_words(row)) for row in models.history]
    states = [row.values() for _, row in sorted(models.members.items())]
    shown = [{name: value for name, value in row._asdict().items() if name != "card"} for row in rows]
    return {
        "history.jsonl": _lines(shown),
        "members.jsonl": _lines(dict(zip(members.MODEL.columns, row, strict=True)) for row in states),
    }


def _in_words(row: HistoryRow) -> str | None:
    if row.rules is None:
        return row.card
    return ", ".join(f"{share['rule']} {share['points']}" for share in json.loads(row.rules))


class _Session:
    """A journal and a history as the checker reads them."""

    def __init__(self, log: list[LogRecord], models: ReadModels) -> None:
        self._log = by_shard(log)
        self._history = [row._asdict() for row in models.history]

    async def cursor(self, query: str, shard: int, after: int, *, prefetch: int) -> AsyncIterator[Any]:
        assert prefetch
        rows: dict[str, list[Any]] = {
            QUERIES["journal"]: [(record.position, record.value) for record in self._log[shard][after:]],
            QUERIES["history"]: [row for row in self._history if row["partition"] == shard][after:],
        }
        for row in rows[query]:
            yield row


class _Topic:
    """The points topic as the checker reads it."""

    def __init__(self, log: list[LogRecord]) -> None:
        self._log = by_shard(log)

    async def records(self, partition: TopicPartition, end: int, begin: int = 0) -> AsyncIterator[LogRecord]:
        for record in self._log[partition.partition][begin:end]:
            yield record


def verify(log: list[LogRecord], models: ReadModels) -> Report:
    """Let the checker walk over journal, log and read models."""
    return asyncio.run(_walk(log, models))


async def _walk(log: list[LogRecord], models: ReadModels) -> Report:
    states = {(PROGRAM, member): row for (_, member), row in models.members.items()}
    rows = {who: dict(zip(members.MODEL.columns, row.values(), strict=True)) for who, row in states.items()}
    ends = {shard: len(records) for shard, records in by_shard(log).items()}
    tiers = {member: row.tier for member, row in states.items() if row.tier is not None}
    tables = Tables(ends, cast("Any", rows), tiers)
    topics = Topics()
    points = {TopicPartition(topics.points, shard): end for shard, end in ends.items()}
    session, topic = cast("Any", _Session(log, models)), cast("Log", _Topic(log))
    at = Snapshot(session, topic, topics, points, Report(), quiet)
    for shard in range(SHARDS):
        await Walk(at, Walked(Shard(shard, at.report)), tables, len(log)).walk()
    return at.report


def report_file(report: Report) -> dict[str, bytes]:
    """What the checker says, as a file."""
    said = {"checked": dict(sorted(report.checked.items())), "found": report.found}
    return {"verify.json": msgspec.json.format(msgspec.json.encode(said), indent=2) + b"\n"}


def _lines(values: Iterable[Any]) -> bytes:
    return b"".join(msgspec.json.encode(value) + b"\n" for value in values)


def result_files(log: list[LogRecord]) -> dict[str, bytes]:
    """Everything that is derived from a log, as the files that lie beside it."""
    models = fold(log)
    return state_files(replay(log)) | read_model_files(models) | report_file(verify(log, models))
