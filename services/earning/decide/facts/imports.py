"""Imports: balances from other systems, row by row, and their reversal batch by batch. Rules 32, 54, 59 and 64."""

from __future__ import annotations

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.content import command_hash
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft, event_key, postings_of, state_of
from services.earning.decide.facts.adjustments import check_date, qualify_points
from services.earning.decide.points.ladder import ladder_of, present_ladder
from services.earning.decide.points.lots import give_lot
from services.earning.decide.points.reversal import forgive, take_back
from services.earning.decide.points.tiers import TierGiven, give_tier, move_tier, qualify, take_imported_tier
from services.earning.program.terms import Program
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


def prepare_import(case: Case, data: BalanceImport) -> Prepared | None:
    """Bring in a row: its points as a lot, its lifetime points for tiers, its tier. None: it is known already.

    Raises:
        PermanentError: `conflict`, `expires_in_past`, or `unknown_tier`.
    """
    asked = command_hash(case.fact)
    if case.row is not None:
        if case.state(ImportState).content_hash == asked:
            return None
        raise PermanentError(Reason.CONFLICT, f"row {data.row} of {data.batch_id!r} is known with another content")
    check_date(data.expires_at, case.fact.received_at)
    ladder = ladder_of(case.program)
    if data.tier is not None and (ladder is None or ladder.rank(data.tier) < 0):
        message = f"the program has no tier {data.tier!r}"
        raise PermanentError(Reason.UNKNOWN_TIER, message, field="data.tier")

    def bring_in(draft: Draft) -> Outcome:
        batch = batch_key(case.fact)
        known = state_of(case.rows.keys.get(batch), BatchState)
        draft.put(batch, BatchState([*known.rows, str(data.row)], known.reverts))
        row = draft.put(case.key, ImportState(asked))
        refused = Reason.REVERTED if known.reverts else Reason.MEMBER_CLOSED if draft.standing.closed else None
        if refused is not None:
            draft.record(FactRecorded(key=event_key(case.key), reason=refused))
        else:
            _bring_in(case.program, draft, row, data, asked)
        return Outcome.APPLIED

    return bring_in


def _bring_in(program: Program, draft: Draft, row: KeyRow, data: BalanceImport, asked: int) -> None:
    lifetime, key = data.lifetime_points or 0, event_key(row.key)
    qualified = qualify_points(draft, program, lifetime)
    window = next(iter(qualified.changes), "")
    row.book = ImportState(asked, data.points, lifetime if window else 0, window, data.tier or "", lifetime)
    draft.standing.lifetime += lifetime
    lots, postings = [], dict[str, int]()
    if data.points:
        change, postings = give_lot(draft, row, data.points, program, data.expires_at)
        lots = [change]
        postings["imported"] = -data.points
    draft.record(
        BalanceImported(
            key=key,
            program_version=program.version,
            postings=postings,
            batch=data.batch_id,
            row=str(data.row),
            points=data.points,
            lifetime_points=lifetime,
            tier=data.tier or "",
            lots=lots,
        ),
        qualified.progress,
    )
    present = present_ladder(draft, program)
    if data.tier is None or present is None:
        move_tier(draft, present, [qualified], row.key)
    else:
        give_tier(draft, present, TierGiven(data.tier, by=_giver(row.key)), "imported", row.key)


def _giver(key: BusinessKey) -> str:
    """A row of an import as the standing remembers it."""
    return f"{key.source}/{key.id}"


def prepare_revert(case: Case, data: ImportRevert) -> Prepared | None:
    """Take a member's rows of a batch out again, each like an award that is refunded. None: it is known already."""
    known, asked = case.state(BatchState), command_hash(case.fact)
    if asked in known.reverts:
        return None

    def revert(draft: Draft) -> Outcome:
        keys = tuple(case.key._replace(kind="import", id=_row_id(data.batch_id, row)) for row in known.rows)
        missing = tuple(key for key in keys if key not in case.rows.keys and key not in case.rows.asked)
        if missing:
            raise RowsMissingError(keys=missing)
        draft.put(case.key, BatchState(known.rows, [*known.reverts, asked]))
        given_by = draft.standing.assigned_by
        taken_out = [_take_out(case.program, draft, key, data) for key in keys]
        if not any(taken_out):
            draft.record(FactRecorded(key=event_key(case.key), reason=Reason.NOTHING_CHANGED))
        present = present_ladder(draft, case.program)
        ended = next((key for key in keys if given_by == _giver(key)), None)
        if ended is not None and present is not None:
            take_imported_tier(draft, present, ended)
        return Outcome.APPLIED

    return revert


def _take_out(program: Program, draft: Draft, key: BusinessKey, data: ImportRevert) -> bool:
    """Take a row out. False: nothing of it is left to be taken."""
    standing, book = draft.standing, draft.state(key, ImportState)
    if not (book.points or book.lifetime or book.tier):
        return False
    row = draft.put(key, ImportState(book.content_hash))
    standing.lifetime -= book.lifetime
    taken = take_back(draft, row, book.points)
    changes = {book.window: -book.lifetime_points} if book.lifetime_points else {}
    present = present_ladder(draft, program)
    qualified = qualify(standing, present, changes)
    draft.record(
        ImportReverted(
            key=event_key(key),
            program_version=program.version,
            postings=taken.postings | postings_of(reverted=book.points),
            batch=data.batch_id,
            row=key.id.rpartition("/")[2].replace("%2F", "/").replace("%25", "%"),
            points=book.points,
            lifetime_points=book.lifetime_points,
            lots=taken.lots,
            to_deficit=taken.to_deficit,
            from_expired=taken.from_expired,
        ),
        qualified.progress,
    )
    if taken.to_deficit and (data.keep_spent or program.forgives):
        forgive(draft, event_key(key), program.version, taken.to_deficit, "reverted")
    move_tier(draft, present, [qualified], key)
    return True
