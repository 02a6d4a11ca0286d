"""Entry bonuses: points for entering a tier, once; a fall that a refund caused takes them back. Rules 24 and 63."""

from __future__ import annotations

from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.points.ladder import Ladder
from services.earning.decide.points.pending import AT_ONCE, earn_lot
from services.earning.decide.points.reversal import forgive_owed, reverse
from services.earning.state.keys import BonusState
from services.earning.state.standing import BusinessKey
from shared.point_events import SOURCE, PointsEarned, RuleShare


def grant_bonus(draft: Draft, ladder: Ladder, tier: str) -> None:
    """Give the entry bonus of a tier that the member has entered and doesn't have it of; none once membership ended.

    Raises:
        RowsMissingError: the bonus's row was not looked for yet.
    """
    standing, program = draft.standing, ladder.program
    points = ladder.tiers.levels[ladder.rank(tier)].entry_bonus
    if not points or tier in standing.bonuses or standing.closed:
        return
    key = _key(draft, tier)
    draft.row(key)  # it may have been granted before: then it keeps its lots
    row = draft.put(key, BonusState(points))
    standing.bonuses = (*standing.bonuses, tier)
    change, postings = earn_lot(draft, row, points, program, AT_ONCE, None)
    draft.record(
        PointsEarned(
            key=event_key(key),
            program_version=program.version,
            postings=postings,
            points=points,
            rules=[RuleShare(f"entry_bonus:{tier}", points)],
            lots=[change],
        )
    )


def take_bonuses_back(draft: Draft, ladder: Ladder, tier: str) -> None:
    """Take back the entry bonuses of tiers above one; they may be granted again.

    Raises:
        RowsMissingError: a bonus's row was not looked for yet.
    """
    standing, program = draft.standing, ladder.program
    for lost in [bonus for bonus in standing.bonuses if ladder.rank(bonus) > ladder.rank(tier)]:
        standing.bonuses = tuple(bonus for bonus in standing.bonuses if bonus != lost)
        key = _key(draft, lost)
        points = draft.state(key, BonusState).points
        row = draft.put(key, BonusState(0))
        event = reverse(draft, row, program, points, "tier_lost", [RuleShare(f"entry_bonus:{lost}", points)])
        draft.record(event)
        forgive_owed(draft, program, event.key, event.to_deficit, event.reason)


def _key(draft: Draft, tier: str) -> BusinessKey:
    standing = draft.standing
    return BusinessKey(standing.program, SOURCE, "entry_bonus", f"{standing.member}/{tier}")
