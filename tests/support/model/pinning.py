"""Who the naive member is when something is first decided: answered once (rules 5, 34, 36, 50)."""

from __future__ import annotations

from datetime import datetime

from services.earning.program.terms import Versions
from tests.support.model.member import NaiveMember, NaiveOrder, Pinned
from tests.support.model.tiers import tier_at


def pin(member: NaiveMember, versions: Versions, when: datetime, order: NaiveOrder | None = None) -> Pinned:
    """Who the member is when an order (or what is none) is first decided."""
    return Pinned(tier_at(member, versions, when), member.segments, first_order(member, order), when)


def first_order(member: NaiveMember, order: NaiveOrder | None = None) -> bool:
    """Whether nothing is left of any order of the member, but perhaps of this one (rule 50)."""
    return not any(other.left for other in member.orders.values() if other is not order)
