"""Claims of the naive model: all that a member has becomes another's, who is the same person (rule 30).

Everything about the other is simply theirs from then on: what they are worth is recomputed from all of it together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from services.earning.program.terms import Versions
from tests.support.model import tiers
from tests.support.model.account import Account, KeyId, NaiveLot
from tests.support.model.cards import complete, stamps_on
from tests.support.model.letters import Letter
from tests.support.model.member import NaiveCard, NaiveMember

JOINED = ("orders", "redemptions", "extra", "imported", "referrals", "referred", "rewards", "claims", "grants")
"""What is known by business keys, none of which two members share."""


@dataclass(frozen=True)
class Asked:
    """To a member who is claimed: hand over all you have."""

    by: str


@dataclass(frozen=True)
class Refused:
    """To the one who claims: no."""

    guest: str


@dataclass
class Handed:
    """To the one who claims: a member as they were, with their tier and until when they would have held it."""

    was: NaiveMember
    tier: str
    until: datetime | None


def claim(member: NaiveMember, key: KeyId) -> bool:
    """Claim an id; whether it is to be asked. One's own never is, nor any by a member whose membership has ended."""
    guest = key[2]
    member.claims[key] = not member.closed
    asks = not member.closed and guest != member.name and guest not in member.claiming
    if asks:
        member.claiming.append(guest)
    return asks


def hands_over(member: NaiveMember, by: str) -> bool:
    """Whether a member gives all to another: not who is somebody else's, nor who is just claiming others.

    Of two who claim each other the first by name stays.
    """
    if member.claimed_by:
        return False
    return not member.claiming or (by in member.claiming and member.name > by)


def hand_over(member: NaiveMember, versions: Versions, by: str) -> Handed:
    """Everything goes; an alias is left, with counters that only grow, and a name in time."""
    tier, until = tiers.shown(member, versions)
    was = NaiveMember(**vars(member))
    account = member.account
    out = account.available + account.pending - account.deficit
    counters = {**account.counters, "transferred_out": account.counters["transferred_out"] + out}
    fresh = NaiveMember(member.name)
    fresh.account = Account(counters=counters, waits=account.waits)
    fresh.clock, fresh.decided_at, fresh.since, fresh.cause_at = was.clock, was.decided_at, was.since, was.cause_at
    fresh.words, fresh.tier_words, fresh.closed, fresh.claimed_by = was.words, was.tier_words, was.closed, by
    vars(member).update(vars(fresh))
    return Handed(was, tier, until)


def refused(member: NaiveMember, key: KeyId, guest: str) -> None:
    """The other did not: they may be asked again."""
    member.claiming = [name for name in member.claiming if name != guest]
    if key in member.claims:
        member.claims[key] = False


def take_over(member: NaiveMember, handed: Handed) -> list[NaiveLot]:
    """Take in what another had; gives the lots that need not wait any more."""
    was, account = handed.was, member.account
    member.claiming = [name for name in member.claiming if name != was.name]
    lots, number = was.account.lots, len(account.lots)
    keys = {key: _renamed(key, was.name, member.name) for key in was.bonuses} | _take_cards(member, was)
    account.counters["transferred_in"] += was.account.available + was.account.pending - was.account.deficit
    for lot in lots:
        lot.number += number
        lot.key = keys.get(lot.key, lot.key)
        account.lots.append(lot)
        if not lot.pending:
            account.pay_deficit(lot)
    _add_up(member, was)
    return [
        lot
        for lot in lots
        if lot.pending and lot.remaining and lot.release_at and lot.release_at <= member.now and not account.waits
    ]


def _take_cards(member: NaiveMember, was: NaiveMember) -> dict[KeyId, KeyId]:
    """What the other's cards were paid for goes on behind one's own; gives the names of these from now on."""
    keys: dict[KeyId, KeyId] = {}
    for name, theirs in was.cards.items():
        card = member.cards.setdefault(name, NaiveCard(theirs.every))
        paid = card.paid[-1].first + card.paid[-1].cards - 1 if card.paid else 0
        for done in theirs.paid:
            key: KeyId = (done.key[0], done.key[1], f"{member.name}/{name}/{paid + done.first}")
            card.paid.append(replace(done, key=key, first=paid + done.first))
            keys[done.key] = key
        card.best += theirs.best
    was.grants = {keys.get(key, key): grant for key, grant in was.grants.items()}
    return keys


def fill_cards(member: NaiveMember, versions: Versions, was: NaiveMember, letter: Letter) -> None:
    """Together stamps may complete a card that neither had; who is closed completes none."""
    program = versions.at(member.now)
    for name in was.cards:
        card, gained = member.cards[name], stamps_on(was, name)
        terms = next((terms for terms in program.cards if terms.id == name), None) if program is not None else None
        if terms is not None and program is not None and gained > 0 and not member.closed:
            card.every = terms.every
            complete(member, card, terms, program, stamps_on(member, name) // terms.every, letter.occurred_at)


def _renamed(key: KeyId, name: str, other: str) -> KeyId:
    return (key[0], key[1], other + key[2].removeprefix(name))


def _add_up(member: NaiveMember, was: NaiveMember) -> None:
    """Everything else that is known of the other is known of the member."""
    for name in JOINED:
        getattr(member, name).update(getattr(was, name))
    for key, facts in was.commands.items():
        known = [fact.data for fact in member.commands.get(key, [])]
        is_ours = key[1] != "revert" or key not in member.commands
        member.commands[key] = facts if is_ours else [fact for fact in facts if fact.data in known]
    for key, points in was.bonuses.items():
        own = _renamed(key, was.name, member.name)
        member.bonuses[own] = member.bonuses.get(own, 0) + points
    account, theirs = member.account, was.account
    account.inactive_at = max(filter(None, (account.inactive_at, theirs.inactive_at)), default=None)
    account.watching += theirs.watching
    member.buckets |= was.buckets
    member.segments = tuple(dict.fromkeys((*member.segments, *was.segments)))
    member.since = min(filter(None, (member.since, was.since)), default=None)


def pay(member: NaiveMember, owed: int) -> None:
    """What the other owed is paid at once, as far as there is something."""
    member.account.deficit += member.account.take(member.account.spendable(), owed)


def end(member: NaiveMember) -> None:
    """What came too late, for its own time or because membership has ended, ends at once."""
    account = member.account
    for lot in account.lots:
        ends = account.ends(lot)
        if member.closed or (not lot.pending and ends is not None and ends <= member.now):
            account.expire(lot)
            lot.release_at = None if member.closed else lot.release_at
    if member.closed:
        account.forgive(account.deficit)
        account.deficit = 0


def better(member: NaiveMember, versions: Versions, handed: Handed) -> bool:
    """Whether the other's tier is above one's own and above that of the sums."""
    ladder = tiers.ladder_of(member, versions.at(member.now))
    if ladder is None:
        return False
    fit = ladder.level_for(ladder.best(tiers.totals(member, ladder.program), member.now))
    return ladder.index_of(handed.tier) > max(ladder.index_of(member.tier), fit)
