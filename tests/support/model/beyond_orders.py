"""Reviews, activities and the bonus for enrolling in the naive model (rules 24, 25, 27, 29, 30, 65, 66, 68)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

import msgspec

from services.earning.program.terms import Activity, Limit, Program, Reviews, Versions
from services.earning.source_events.facts import Fact
from shared.facts.activities import ActivityRecorded, ActivityWithdrawn
from shared.facts.reviews import ReviewPublished, ReviewRemoved, ReviewUpdated
from shared.point_events import SOURCE
from tests.support.model.account import KeyId
from tests.support.model.awards import Who, holds, rounded
from tests.support.model.cards import activity_stamps, bring_stamps, give_points
from tests.support.model.days import local_date
from tests.support.model.member import NaiveGrant, NaiveMember
from tests.support.model.pinning import pin

RANKS: dict[type, int] = {
    ReviewPublished: 0,
    ReviewUpdated: 1,
    ReviewRemoved: 2,
    ActivityRecorded: 0,
    ActivityWithdrawn: 1,
}
NAMES = {"Review": ("review", "review_id"), "Activity": ("activity", "activity_id")}
WINDOWS = {"day": "%Y-%m-%d", "week": "%G-%V", "month": "%Y-%m", "year": "%Y", "lifetime": ""}

Content = ReviewPublished | ActivityRecorded


def key_of(fact: Fact) -> KeyId:
    """What a fact of a review or an activity is about."""
    kind, name = NAMES["Review" if "review_id" in fact.data.__struct_fields__ else "Activity"]
    return (fact.source, kind, getattr(fact.data, name))


def kept(versions: Versions, fact: Fact) -> Fact:
    """The fact without the attributes that the program of its time doesn't declare (rule 68)."""
    data = fact.data
    if not isinstance(data, ActivityRecorded):
        return fact
    known = (versions.at(fact.occurred_at) or versions.all[0]).activity(data.kind)
    declared = known.attributes if known is not None else frozenset[str]()
    attributes = {name: value for name, value in data.attributes.items() if name in declared}
    return msgspec.structs.replace(fact, data=msgspec.structs.replace(data, attributes=attributes))


def said_before(facts: Sequence[Fact], fact: Fact) -> bool:
    """Whether the same was told of the same time; told of a later time it is another fact."""
    return any(
        (known.type, known.occurred_at, known.data) == (fact.type, fact.occurred_at, fact.data) for known in facts
    )


@dataclass(frozen=True)
class Told:
    """What the facts of a review or an activity say together: whether it stands, its newest content, since when."""

    stands: bool
    content: Content | None
    since: datetime | None


def together(facts: Sequence[Fact]) -> Told:
    """Removed or withdrawn is what is told last; an edit alone doesn't bring it back (rules 25, 68)."""
    stands: bool | None = None
    ordered = sorted(facts, key=lambda fact: (fact.occurred_at, RANKS[type(fact.data)], msgspec.json.encode(fact.data)))
    for fact in ordered:
        if isinstance(fact.data, ReviewRemoved | ActivityWithdrawn):
            stands = False
        elif isinstance(fact.data, ReviewUpdated):
            stands = stands is not False
        else:
            stands = True
    contents = [fact for fact in ordered if isinstance(fact.data, ReviewPublished | ActivityRecorded)]
    newest = contents[-1].data if contents else None
    assert newest is None or isinstance(newest, ReviewPublished | ActivityRecorded)
    return Told(bool(stands) and newest is not None, newest, contents[0].occurred_at if contents else None)


@dataclass
class Worth:
    """What a review or an activity is worth by itself, or why nothing; `asks` is what only so many can have."""

    reason: str = ""
    points: Fraction = Fraction(0)
    asks: tuple[str, ...] = ()
    most: int = 1
    stamps: dict[str, int] = field(default_factory=dict)


def of_review(terms: Reviews | None, content: ReviewPublished) -> Worth:
    """What the program gives for a review as it is now (rules 25, 66)."""
    if terms is None:
        return Worth("nothing_eligible")
    if terms.verified_only and not content.verified:
        return Worth("not_verified")
    if content.length < terms.length_min:
        return Worth("too_short")
    points = max(terms.points, terms.photo if content.photos else 0, terms.video if content.videos else 0)
    return Worth(points=Fraction(points), asks=(content.product_id,) if terms.once_per_product else ())


def of_activity(program: Program, terms: Activity | None, content: ActivityRecorded, who: Who) -> Worth:
    """What the program gives for an activity (rules 27, 68), and its stamps."""
    if terms is None:
        return Worth("unknown_activity")
    if not holds(terms.conditions, who, program):
        return Worth("nothing_eligible")
    found = Worth(points=Fraction(terms.points * (content.quantity if terms.per_unit else 1)))
    found.stamps = activity_stamps(program, content.kind, content.quantity)
    if terms.limit is not None:
        found.asks, found.most = (terms.id, window(terms.limit, who.when, program)), terms.limit.times
    return found


def window(limit: Limit, when: datetime, program: Program) -> str:
    """The local day, week, month or year that counts for a limit."""
    return f"{limit.per} {local_date(when, program.zone).strftime(WINDOWS[limit.per])}"


def multiplier(program: Program, who: Who, kind: str) -> Fraction:
    """What the tier and campaigns that name a kind multiply by (rules 24, 29, 65)."""
    levels = program.tiers.levels if program.tiers else ()
    level = next((level for level in levels if level.id == who.tier), None)
    factors = [dict(level.activities).get(kind, Fraction(1)) if level is not None else Fraction(1)]
    factors += [c.multiplier for c in program.campaigns if kind in c.activities and holds(c.conditions, who, program)]
    product = Fraction(1)
    for factor in factors:
        product *= factor
    return max(factors) if program.multipliers == "highest" else product


def decide_grant(member: NaiveMember, versions: Versions, key: KeyId, grant: NaiveGrant, fact: Fact) -> None:
    """Recompute a review or an activity from its facts and book what has changed."""
    told = together(grant.facts)
    program = versions.at(told.since) if told.since else None
    worth = worth_now(member, versions, program, grant, told)
    counts = take_place(member, key, grant, worth, told)
    points = points_now(program, grant, worth, told) if counts else 0
    before, grant.stamps = grant.stamps, worth.stamps if counts else {}
    if member.closed and (points > grant.points or any(n > before.get(card, 0) for card, n in grant.stamps.items())):
        points, worth.reason = min(points, grant.points), "member_closed"
    change, grant.points = points - grant.points, points
    if change > 0 and program is not None:
        give_points(member, key, program, fact.occurred_at, change)
    elif change < 0:
        member.account.reverse(key, -change, forgive=program is not None and program.deficit == "forgive")
    bring_stamps(member, versions, program, grant, before, fact)
    if not change and not member.said.stamps:
        least = "nothing_changed" if grant.stamps else "nothing_eligible"
        member.said.reason = "nothing_changed" if grant.points else worth.reason or least


def points_now(program: Program | None, grant: NaiveGrant, worth: Worth, told: Told) -> int:
    """The points of what counts, multiplied and rounded once."""
    if program is None or told.content is None or grant.pinned is None or grant.when is None:
        return 0
    kind = "review" if isinstance(told.content, ReviewPublished) else told.content.kind
    who = Who(grant.when, grant.pinned.tier, grant.pinned.segments, None, None, None)
    return rounded(worth.points * multiplier(program, who, kind), program.rounding)


def worth_now(member: NaiveMember, versions: Versions, program: Program | None, grant: NaiveGrant, told: Told) -> Worth:
    """What it is worth by itself; who and when is answered when it first stands."""
    if not told.stands or told.content is None or told.since is None:
        return Worth("nothing_changed")
    grant.pinned = grant.pinned or pin(member, versions, told.since)
    grant.when = told.since
    if program is None:
        return Worth("not_in_force")
    who = Who(told.since, grant.pinned.tier, grant.pinned.segments, None, None, None)
    if isinstance(told.content, ReviewPublished):
        return of_review(program.reviews, told.content)
    return of_activity(program, program.activity(told.content.kind), told.content, who)


def take_place(member: NaiveMember, key: KeyId, grant: NaiveGrant, worth: Worth, told: Told) -> bool:
    """Whether it may count among those that share a product or a limit; first come, first served (rules 66, 68).

    Once refused it stays so until it is removed, or told for something else. Who is closed takes no place.
    """
    if not told.stands or told.content is None:
        grant.place = grant.refused = ()
        return False
    content = told.content
    subject = (key[1], content.product_id if isinstance(content, ReviewPublished) else content.kind)
    grant.refused = grant.refused if grant.refused == subject else ()
    held, grant.place = grant.place, ()
    if worth.reason:
        return False
    if not worth.asks:
        grant.refused = ()
        return True
    if held[:2] == subject:
        grant.place = held
        return True
    wanted = (*subject, *worth.asks[1:])
    if not grant.refused and not member.closed:
        free = sum(other.place == wanted for other in member.grants.values()) < worth.most
        grant.place, grant.refused = (wanted, ()) if free else ((), subject)
    if not grant.place:
        refused = "product_reviewed" if key[1] == "review" else "limit_reached"
        worth.reason = refused if grant.refused else "member_closed"
    return bool(grant.place)


def welcome(member: NaiveMember, versions: Versions, fact: Fact) -> None:
    """Points for enrolling, once for an id (rule 30)."""
    key: KeyId = (SOURCE, "enrolment", member.name)
    program = versions.at(fact.occurred_at)
    if program is None or not program.enrolment_bonus or member.closed or key in member.grants:
        return
    member.grants[key] = NaiveGrant(points=program.enrolment_bonus, when=fact.occurred_at)
    give_points(member, key, program, fact.occurred_at, program.enrolment_bonus)
