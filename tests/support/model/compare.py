"""Where the naive model and the core differ, in words, with the rule to look at."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from services.earning.decide.core.draft import DUE
from services.earning.state.keys import ActivityState, OrderState, ReferralState, ReferrerState, ReviewState
from shared.point_events import FactRecorded, StampCardCompleted, StampCollected
from tests.support.model import tiers
from tests.support.model.account import COUNTERS
from tests.support.model.cards import stamps_on
from tests.support.model.core import Core
from tests.support.model.naive import Naive

Differences = list[str]
Held = tuple[str, datetime, datetime | None, bool]


def differences(model: Naive, core: Core) -> Differences:
    """Everything that isn't the same, over all members."""
    found: Differences = []
    if set(model.members) != set(core.standings):
        found.append(f"members: model {sorted(model.members)}, core {sorted(core.standings)}")
    for name in sorted(set(model.members) & set(core.standings)):
        found += _balances(model, core, name) + _orders(model, core, name)
        found += _lots(model, core, name) + _tier(model, core, name) + _referrals(model, core, name)
        found += _grants(model, core, name) + _cards(model, core, name)
    return found + _differ("messages under way (decision 0015)", model.letters.waiting, core.post.waiting)


def said_differently(model: Naive, core: Core, name: str) -> Differences:
    """Whether the latest fact had the same stamps, completions and reasons, where it was applied."""
    said, own = model.members[name].said, [event for event in core.latest if event.cause != DUE]
    stamps = [(e.card, e.stamps, e.total, e.missing) for e in own if isinstance(e, StampCollected)]
    completed = [(e.card, e.number, e.cards) for e in own if isinstance(e, StampCardCompleted)]
    found = _differ(f"{name} stamps told (rules 28, 69)", said.stamps, stamps)
    found += _differ(f"{name} cards told (rule 28)", said.completed, completed)
    kinds = ("review", "activity")
    reasons = [str(e.reason) for e in own if isinstance(e, FactRecorded) and e.key is not None and e.key.kind in kinds]
    return found + _differ(f"{name} reason (rule 48)", [said.reason] if said.reason else [], reasons)


def _differ(what: str, model: object, core: object) -> Differences:
    return [] if model == core else [f"{what}: model {model}, core {core}"]


def _balances(model: Naive, core: Core, name: str) -> Differences:
    account, standing = model.members[name].account, core.standing(name)
    assert standing is not None
    balances = standing.balances
    found = _differ(f"{name} alias of (rule 30)", model.members[name].claimed_by, standing.claimed_by)
    found += _differ(f"{name} provisional (rule 71)", model.members[name].provisional, standing.provisional)
    found += _differ(f"{name} clock (architecture 12)", model.members[name].clock, standing.clock)
    for part in ("available", "pending", "deficit"):
        found += _differ(f"{name} {part} (rules 12, 15, 58)", getattr(account, part), getattr(balances, part))
    for counter in COUNTERS:
        found += _differ(f"{name} {counter} (rule 31)", account.counters[counter], getattr(balances, counter))
    return found


def _orders(model: Naive, core: Core, name: str) -> Differences:
    found: Differences = []
    for (source, kind, order_id), order in model.members[name].orders.items():
        book = core.book(source, kind, order_id)
        if not isinstance(book, OrderState):
            found.append(f"{name} {order_id}: the core has no such order")
            continue
        rules = {rule: points for rule, points in order.award.rules.items() if points}
        found += _differ(
            f"{name} {order_id} award by rule (rules 2-11)", rules, {r: p for r, p in book.rules.items() if p}
        )
        by_line = {line: points for line, points in order.award.lines.items() if points}
        found += _differ(
            f"{name} {order_id} award by line (rules 4, 45)", by_line, {line: p for line, p in book.lines.items() if p}
        )
        found += _differ(f"{name} {order_id} has something left (rule 50)", order.left, book.counts)
    return found


def _grants(model: Naive, core: Core, name: str) -> Differences:
    """Each review and activity: points, stamps, places, who and when that were pinned."""
    found: Differences = []
    for (source, kind, grant_id), grant in model.members[name].grants.items():
        book = core.book(source, kind, grant_id)
        if book is None:
            found.append(f"{name} {grant_id}: the core has no such {kind}")
        if isinstance(book, ReviewState | ActivityState):
            found += _differ(f"{name} {grant_id} points (rules 25, 27)", grant.points, book.grant.points)
            places = [book.claimed, book.refused] if isinstance(book, ReviewState) else [book.place, book.refused]
            expected = [bool(grant.place), bool(grant.refused)]
            found += _differ(f"{name} {grant_id} place, refused (rules 66, 68)", expected, [*map(bool, places)])
            pin = book.grant.pin
            who = (grant.pinned.tier, grant.pinned.segments) if grant.pinned else None
            found += _differ(f"{name} {grant_id} pinned (rule 36)", who, (pin.tier, pin.segments) if pin else None)
        if isinstance(book, ActivityState):
            held = {card: stamps for card, stamps in grant.stamps.items() if stamps}
            found += _differ(f"{name} {grant_id} stamps (rule 68)", held, book.stamps)
    return found


def _cards(model: Naive, core: Core, name: str) -> Differences:
    member, standing = model.members[name], core.standing(name)
    assert standing is not None
    expected = {
        card: (stamps_on(member, card), sum(done.cards for done in known.paid), known.best)
        for card, known in member.cards.items()
    }
    actual = {card: (held.stamps, held.cards, held.best) for card, held in standing.cards.items()}
    return _differ(f"{name} cards: stamps, paid, best ever (rule 28)", expected, actual)


def _lots(model: Naive, core: Core, name: str) -> Differences:
    standing = core.standing(name)
    account, expected, actual = model.members[name].account, Counter[Held](), Counter[Held]()
    for lot in account.lots:
        expected[(lot.key[2], lot.earned_at, None if lot.pending else account.ends(lot), lot.pending)] += lot.remaining
    for kept in core.lots_of(name):
        pending, ends = kept.available_at is None, kept.expires_at
        if kept.follows and standing is not None and standing.inactive_at is not None:
            ends = max(standing.inactive_at, ends or standing.inactive_at)
        actual[(kept.key.id, kept.earned_at, None if pending else ends, pending)] += kept.remaining
    return _differ(
        f"{name} lots (rules 12, 13, 17, 18)", sorted((+expected).items(), key=str), sorted((+actual).items(), key=str)
    )


def _tier(model: Naive, core: Core, name: str) -> Differences:
    standing = core.standing(name)
    assert standing is not None
    tier, until = tiers.shown(model.members[name], model.versions)
    found = _differ(f"{name} tier (rule 23)", tier, standing.tier or tier)
    found += _differ(f"{name} tier valid until (rules 23, 62)", until, standing.tier_until)
    totals = {window: total for window, total in model.totals(name).items() if total}
    still = tiers.counting(model.members[name], model.versions)
    # A window that counts no more is left out when a sum changes: of two who became one, at two different times.
    joint = bool(model.members[name].claims)
    kept = {w: total for w, total in standing.qualifying.items() if total and (w in still or not joint)}
    counting = {window: total for window, total in totals.items() if window in kept or window in still}
    return found + _differ(f"{name} qualifying (rules 22, 23)", counting, kept)


def _referrals(model: Naive, core: Core, name: str) -> Differences:
    """Both sides of referrals: whether they count, why not, and for how much."""
    member = model.members[name]
    found: Differences = []
    for key, referral in member.referrals.items():
        book = core.book(*key)
        own = (referral.granted, referral.blocked, member.rewards[key].points if key in member.rewards else 0)
        held = (book.granted, book.blocked, book.grant.points) if isinstance(book, ReferralState) else None
        found += _differ(f"{name} referral {key[2]} (rules 26, 67)", own, held)
    for key, referred in member.referred.items():
        book = core.book(*key)
        given = (referred.counts, bool(referred.place), member.rewards[key].points if key in member.rewards else 0)
        kept = (book.qualifies, bool(book.place), book.grant.points) if isinstance(book, ReferrerState) else None
        found += _differ(f"{name} brought by {key[2]} (rules 26, 67)", given, kept)
    return found
