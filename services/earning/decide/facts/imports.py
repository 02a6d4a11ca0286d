"""Imports: balances from other systems, row by row, and their reversal batch by batch. Rules 32, 54, 59 and 64."""

from __future__ import annotations

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.content import command_hash
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.facts.adjustments import check_date, qualify_points, settle_tier
from services.earning.decide.points.ladder import ladder_of
from services.earning.decide.points.lifetimes import begin_life
from services.earning.decide.points.lots import fill_available, new_lot
from services.earning.decide.points.reversal import forgive, take_back
from services.earning.decide.points.tiers import TierGiven, give_tier, move_tier, qualify, take_imported_tier
from services.earning.source_events.facts import Fact
from services.earning.state.keys import BatchState, ImportState
from services.earning.state.standing import BusinessKey, KeyRow, RowsMissingError
from shared.errors import PermanentError
from shared.facts.imports import BalanceImport, ImportRevert
from shared.point_events import BalanceImported, FactRecorded, ImportReverted
from shared.reasons import Reason


def row_id(fact: Fact) -> str:
    """What names a row of a batch within its source; 7 and "7" are the same."""
    return _row_id(fact.data.batch_id, str(fact.data.row)) if isinstance(fact.data, BalanceImport) else ""


def batch_id(fact: Fact) -> str:
    """What names a member's rows of a batch."""
    data = fact.data
    return f"{_quoted(data.batch_id)}/{_quoted(fact.member)}" if isinstance(data, BalanceImport | ImportRevert) else ""


def batch_key(fact: Fact) -> BusinessKey:
    """The business key of a member's rows of a batch."""
    return BusinessKey(fact.program, fact.source, "import_batch", batch_id(fact))


def batch_of(key: BusinessKey, member: str) -> BusinessKey:
    """The business key of another member's rows of the same batch."""
    return key._replace(id=f"{key.id.rpartition('/')[0]}/{_quoted(member)}")


def both(one: BatchState, other: BatchState) -> BatchState:
    """Two members' rows of a batch as one's. It was reverted where it was for both, by the same fact."""
    reverts = [revert for revert in one.reverts if revert in other.reverts]
    return BatchState([*other.rows, *one.rows], reverts)


def _row_id(batch: str, row: str) -> str:
    return f"{_quoted(batch)}/{_quoted(row)}"


def _quoted(part: str) -> str:
    return part.replace("%", "%25").replace("/", "%2F")


def _batch_of(row: KeyRow | None) -> BatchState:
    return row.book if row is not None and isinstance(row.book, BatchState) else BatchState()


def prepare_import(case: Case, data: BalanceImport) -> Prepared | None:
    """Bring in a row: its points as a lot, its lifetime points for tiers, its tier. None: it is known already.

    Raises:
        PermanentError: `conflict`, `expires_in_past`, or `unknown_tier`.
    """
    asked = command_hash(case.fact)
    if case.row is not None and isinstance(case.row.book, ImportState):
        if case.row.book.content_hash == asked:
            return None
        raise PermanentError(Reason.CONFLICT, f"row {data.row} of {data.batch_id!r} is known with another content")
    check_date(data.expires_at, case.fact.received_at)
    ladder = ladder_of(case.program)
    if data.tier is not None and (ladder is None or ladder.rank(data.tier) < 0):
        message = f"the program has no tier {data.tier!r}"
        raise PermanentError(Reason.UNKNOWN_TIER, message, field="data.tier")

    def bring_in(draft: Draft) -> Outcome:
        batch = batch_key(case.fact)
        known = _batch_of(case.rows.keys.get(batch))
        rows = BatchState([*known.rows, str(data.row)], known.reverts)
        draft.keys[batch] = KeyRow(batch, draft.standing.member, rows)
        row = KeyRow(case.key, draft.standing.member, ImportState(asked))
        draft.keys[case.key] = row
        refused = Reason.REVERTED if known.reverts else Reason.MEMBER_CLOSED if draft.standing.closed else None
        if refused is not None:
            draft.say(FactRecorded, key=event_key(case.key), reason=refused)
        else:
            _bring_in(case, draft, row, data, asked)
        return Outcome.APPLIED

    return bring_in


def _bring_in(case: Case, draft: Draft, row: KeyRow, data: BalanceImport, asked: int) -> None:
    program = case.program
    version = program.version
    lifetime = data.lifetime_points or 0
    qualified = qualify_points(case, draft, lifetime)
    window = next(iter(qualified.changes), "")
    row.book = ImportState(asked, data.points, lifetime if window else 0, window, data.tier or "", lifetime)
    draft.standing.lifetime += lifetime
    postings: dict[str, int] = {}
    lots = []
    if data.points:
        lot = new_lot(draft, row, data.points, version)
        lot.expires_at = data.expires_at
        if data.expires_at is None:
            begin_life(draft, lot, program, own_clock=True)
        change, postings = fill_available(draft, lot)
        lots = [change]
        postings["imported"] = -data.points
    draft.say(
        BalanceImported,
        key=event_key(case.key),
        version=version,
        postings=postings,
        batch=data.batch_id,
        row=str(data.row),
        points=data.points,
        lifetime_points=lifetime,
        tier=data.tier or "",
        lots=lots,
        **qualified.told,
    )
    present = ladder_of(case.versions.at(draft.standing.clock)) or ladder_of(program)
    if data.tier is None or present is None:
        settle_tier(case, draft, qualified)
    else:
        given = TierGiven(data.tier, by=_giver(case.key))
        give_tier(draft, present, given, "imported", event_key(case.key))


def _giver(key: BusinessKey) -> str:
    """A row of an import as the standing remembers it."""
    return f"{key.source}/{key.id}"


def prepare_revert(case: Case, data: ImportRevert) -> Prepared | None:
    """Take a member's rows of a batch out again, each like an award that is refunded. None: it is known already."""
    known, asked = _batch_of(case.row), command_hash(case.fact)
    if asked in known.reverts:
        return None

    def revert(draft: Draft) -> Outcome:
        keys = tuple(case.key._replace(kind="import", id=_row_id(data.batch_id, row)) for row in known.rows)
        missing = tuple(key for key in keys if key not in case.rows.keys and key not in case.rows.asked)
        if missing:
            raise RowsMissingError(keys=missing)
        draft.keys[case.key] = KeyRow(case.key, draft.standing.member, BatchState(known.rows, [*known.reverts, asked]))
        given_by, found = draft.standing.assigned_by, False
        for key in keys:
            row = draft.row(key)
            book = row.book if row is not None else None
            if row is not None and isinstance(book, ImportState) and (book.points or book.lifetime or book.tier):
                found = True
                _take_out(case, draft, row, book, data)
        if not found:
            draft.say(FactRecorded, key=event_key(case.key), reason=Reason.NOTHING_CHANGED)
        present = ladder_of(case.versions.at(draft.standing.clock)) or ladder_of(case.program)
        ended = next((key for key in keys if given_by == _giver(key)), None)
        if ended is not None and present is not None:
            take_imported_tier(draft, present, event_key(ended))
        return Outcome.APPLIED

    return revert


def _take_out(case: Case, draft: Draft, row: KeyRow, book: ImportState, data: ImportRevert) -> None:
    row = KeyRow(row.key, row.member, ImportState(book.content_hash), row.lots)
    draft.keys[row.key] = row
    standing, program = draft.standing, case.program
    version = program.version
    present = ladder_of(case.versions.at(standing.clock)) or ladder_of(program)
    standing.lifetime -= book.lifetime
    taken = take_back(draft, row, book.points)
    changes = {book.window: -book.lifetime_points} if book.lifetime_points else {}
    qualified = qualify(standing, present, changes)
    draft.say(
        ImportReverted,
        key=event_key(row.key),
        version=version,
        postings={**taken.postings, "reverted": book.points} if book.points else {},
        batch=data.batch_id,
        row=row.key.id.rpartition("/")[2].replace("%2F", "/").replace("%25", "%"),
        points=book.points,
        lifetime_points=book.lifetime_points,
        lots=taken.lots,
        to_deficit=taken.to_deficit,
        from_expired=taken.from_expired,
        **qualified.told,
    )
    forgiving = data.keep_spent or program.deficit == "forgive"
    if taken.to_deficit and forgiving:
        forgive(draft, event_key(row.key), version, taken.to_deficit, "reverted")
    if present is not None and qualified.changes:
        move_tier(draft, present, qualified, event_key(row.key))
