"""Entry bonuses: points for entering a tier, once; a fall that a refund caused takes them back. Rules 24 and 63."""

from __future__ import annotations

from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.points.ladder import Ladder
from services.earning.decide.points.lifetimes import begin_life, mark_active
from services.earning.decide.points.lots import fill_available, new_lot
from services.earning.decide.points.reversal import forgive, take_back
from services.earning.state.keys import BonusState
from services.earning.state.standing import BusinessKey, KeyRow
from shared.point_events import SOURCE, PointsEarned, PointsReversed, RuleShare


def grant_bonus(draft: Draft, ladder: Ladder, tier: str) -> None:
    """Give the entry bonus of a tier that the member has entered and doesn't have it of; none once membership ended.

    Raises:
        RowsMissingError: the bonus's row was not looked for yet.
    """
    standing, program = draft.standing, ladder.program
    points = ladder.tiers.levels[ladder.rank(tier)].entry_bonus
    if not points or tier in standing.bonuses or standing.closed:
        return
    row = _row(draft, tier, points)
    standing.bonuses = (*standing.bonuses, tier)
    lot = new_lot(draft, row, points, program.version)
    begin_life(draft, lot, program)
    mark_active(standing, program, draft.occurred_at)
    change, postings = fill_available(draft, lot)
    draft.say(
        PointsEarned,
        key=event_key(row.key),
        version=program.version,
        postings={**postings, "earned": -points},
        points=points,
        rules=[RuleShare(f"entry_bonus:{tier}", points)],
        lots=[change],
    )


def take_bonuses_back(draft: Draft, ladder: Ladder, tier: str) -> None:
    """Take back the entry bonuses of tiers above one; they may be granted again.

    Raises:
        RowsMissingError: a bonus's row was not looked for yet.
    """
    standing, program = draft.standing, ladder.program
    for lost in [bonus for bonus in standing.bonuses if ladder.rank(bonus) > ladder.rank(tier)]:
        standing.bonuses = tuple(bonus for bonus in standing.bonuses if bonus != lost)
        held = draft.row(_key(draft, lost))
        points = held.book.points if held is not None and isinstance(held.book, BonusState) else 0
        row = _row(draft, lost, 0)
        taken = take_back(draft, row, points)
        draft.say(
            PointsReversed,
            key=event_key(row.key),
            version=program.version,
            postings={**taken.postings, "reversed": points},
            points=points,
            reason="tier_lost",
            rules=[RuleShare(f"entry_bonus:{lost}", points)],
            lots=taken.lots,
            to_deficit=taken.to_deficit,
            from_expired=taken.from_expired,
        )
        if taken.to_deficit and program.deficit == "forgive":
            forgive(draft, event_key(row.key), program.version, taken.to_deficit, "tier_lost")


def _key(draft: Draft, tier: str) -> BusinessKey:
    standing = draft.standing
    return BusinessKey(standing.program, SOURCE, "entry_bonus", f"{standing.member}/{tier}")


def _row(draft: Draft, tier: str, points: int) -> KeyRow:
    """The bonus's row with its points from now on; the draft's own."""
    key = _key(draft, tier)
    known = draft.row(key)
    row = KeyRow(key, draft.standing.member, BonusState(points), known.lots if known is not None else [])
    draft.keys[key] = row
    return row
