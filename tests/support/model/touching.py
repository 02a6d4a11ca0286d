"""Members of the naive model who touch members: facts that mean something for another, and the letters that say so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import datetime

import msgspec

from services.earning.program.terms import Program, Versions
from services.earning.source_events.facts import Fact
from shared.facts.members import MemberClaimed, MemberClosed, MemberEnrolled, MemberUpdated
from shared.facts.referrals import ReferralClicked, ReferralCompleted, ReferralJoined, ReferralUnblock, ReferralVoided
from tests.support.model import beyond_orders, merges, referrals, tiers
from tests.support.model.account import KeyId, NaiveLot
from tests.support.model.letters import Letter, Letters
from tests.support.model.lifetimes import release
from tests.support.model.mailbox import Pair
from tests.support.model.member import DeadLetterError, NaiveMember
from tests.support.model.referral_books import Answer, Question

TOUCHING = (MemberClaimed, ReferralClicked, ReferralJoined, ReferralCompleted, ReferralVoided, ReferralUnblock)
"""Facts of one member that may mean something for another."""


class Touching(ABC):
    """All members of one program, and the letters between them."""

    def __init__(self, versions: Versions) -> None:
        self.versions = versions
        self.members: dict[str, NaiveMember] = {}
        self.owners: dict[KeyId, str] = {}
        self.letters = Letters()

    def totals(self, name: str) -> dict[str, int]:
        """What qualifies for a member's tier, by window."""
        member = self.members[name]
        return tiers.totals(member, self.versions.at(member.now))

    @abstractmethod
    def _member(self, fact: Fact | Letter) -> NaiveMember:
        """The member, with time brought as far as this fact says."""

    @abstractmethod
    def take(self, fact: Fact) -> str:
        """One fact in order of arrival; returns what became of it."""

    def deliver(self, pair: Pair) -> None:
        """The oldest message from one member to another arrives, where there is one."""
        arrived = self.letters.fetch(pair)
        if isinstance(arrived, Fact):
            if self.take(arrived) not in {"applied", "duplicate", "rejected"}:
                self._member(arrived)  # it was taken in under the other id: that it can't be decided is an event
        elif arrived is not None:
            self._open(arrived)

    def _program_of(self, member: NaiveMember, lot: NaiveLot, at: datetime) -> Program:
        """The version by which a lot was made."""
        if lot.key in member.rewards:
            return member.rewards[lot.key].program
        known = member.orders.get(lot.key) or member.grants.get(lot.key)
        return self.versions.at((known.when if known is not None else None) or at) or self.versions.all[0]

    def release_all(self, member: NaiveMember, fact: Fact | Letter) -> None:
        """A guest has enrolled: what waited for that alone is released (rules 30, 71)."""
        member.account.waits = False
        for lot in sorted(member.account.lots, key=lambda lot: lot.number):
            if lot.pending and lot.remaining and lot.release_at is not None and lot.release_at <= member.now:
                self._release_now(member, lot, fact)

    def _release_now(self, member: NaiveMember, lot: NaiveLot, told: Fact | Letter) -> None:
        """A lot that waited for somebody to be a member is released by what says so, but not before its own date."""
        assert lot.release_at is not None
        lot.release_at = max(lot.release_at, told.occurred_at)
        release(member, lot, self._program_of(member, lot, member.now), late=told.occurred_at < member.now)

    def follow(self, member: NaiveMember, fact: Fact) -> None:
        """An order has changed: so may have what its referrals mean."""
        for key, referral in member.referrals.items():
            if (key[0], referral.named) == (fact.source, getattr(fact.data, "order_id", None)):
                referrals.follow(member, self.versions, key, fact, self.letters)

    def touch(self, fact: Fact) -> str:
        """A fact of a referral, at its referee (but a click on a referrer's link), or of a claim."""
        match fact.data:
            case MemberClaimed(guest=guest):
                return self._claim(fact, (fact.source, "claim", guest))
            case ReferralClicked(referral_id=name):
                return self._click(fact, (fact.source, "referral_click", name))
        return self._referral(fact, (fact.source, "referral", fact.data.referral_id))  # type: ignore[union-attr]

    def _click(self, fact: Fact, key: KeyId) -> str:
        if self._owned(fact, key):
            return "duplicate"
        self._member(fact)
        self.owners[key] = fact.member
        return "applied"

    def _owned(self, fact: Fact, key: KeyId) -> bool:
        """Whether a key is known; of another member it is a dead letter."""
        if self.owners.get(key, fact.member) != fact.member:
            raise DeadLetterError("owned_by_another_member")
        return key in self.owners

    def _referral(self, fact: Fact, key: KeyId) -> str:
        """A referral's fact at its referee (rule 26)."""
        self._owned(fact, key)
        known = self.members.get(fact.member)
        if referrals.seen(known, key, fact):
            return "duplicate"
        referrals.refuse(known, key, fact)
        member = self._member(fact)
        self.owners[key] = fact.member
        before = self.totals(fact.member)
        referrals.hear(member, self.versions, key, fact, self.letters)
        tiers.settle(member, self.versions, before)
        return "applied"

    def _open(self, letter: Letter) -> None:
        """A letter is read by its member; one that is not news changes nothing, not even their time."""
        if self.is_alias(letter.member) and not isinstance(letter.data, merges.Asked):
            self.forward(letter)
            return
        match letter.data:
            case Question():
                self._ask(letter, (letter.key[0], "referrer", letter.key[2]), letter.data)
            case Answer():
                self._answer(letter, letter.key, letter.data)
            case merges.Asked(by=by):
                self._claimed(letter, by)
            case merges.Refused(guest=guest):
                merges.refused(self._member(letter), (letter.key[0], "claim", guest), guest)
            case merges.Handed():
                self._take_over(letter, letter.data)

    def _ask(self, letter: Letter, key: KeyId, question: Question) -> None:
        if referrals.question_is_news(self.members.get(letter.member), key, question):
            member = self._member(letter)
            self.owners[key] = member.name
            before = self.totals(member.name)
            referrals.hear_question(member, self.versions, key, question, letter, self.letters)
            tiers.settle(member, self.versions, before)

    def _answer(self, letter: Letter, key: KeyId, answer: Answer) -> None:
        key = (key[0], "referral", key[2])
        if referrals.answer_is_news(self.members.get(letter.member), key, answer):
            member = self._member(letter)
            before = self.totals(member.name)
            referrals.hear_answer(member, self.versions, key, answer, letter)
            tiers.settle(member, self.versions, before)

    def is_alias(self, name: str) -> bool:
        """Whether a member was claimed by another."""
        return name in self.members and bool(self.members[name].claimed_by)

    def forward(self, told: Fact | Letter) -> str:
        """What is told of an alias is told of its owner; but not who the alias is."""
        member = self._member(told)
        owner = member.claimed_by
        if type(told.data) in beyond_orders.RANKS:
            member.said.reason = "member_claimed"
        if isinstance(told, Letter):
            self.letters.send(member.name, replace(told, member=owner))
        elif not isinstance(told.data, MemberEnrolled | MemberUpdated | MemberClosed):
            self.letters.send(member.name, msgspec.structs.replace(told, member=owner))
        return "applied"

    def _claim(self, fact: Fact, key: KeyId) -> str:
        """A member is found to be another id, too: that one is asked to hand over, once, and again if they refused."""
        self._owned(fact, key)
        known = self.members.get(fact.member)
        if known is not None and known.claims.get(key, False):
            return "duplicate"
        member = self._member(fact)
        self.owners[key] = fact.member
        if merges.claim(member, key):
            self.letters.send(member.name, Letter.after(fact, member, key[2], key, merges.Asked(member.name)))
        return "applied"

    def _claimed(self, letter: Letter, by: str) -> None:
        """A member is asked to hand over all they have."""
        member = self._member(letter)
        if not merges.hands_over(member, by):
            self.letters.send(member.name, Letter.after(letter, member, by, letter.key, merges.Refused(member.name)))
            return
        handed = merges.hand_over(member, self.versions, by)
        self.letters.send(member.name, Letter.after(letter, member, by, letter.key, handed))

    def _take_over(self, letter: Letter, handed: merges.Handed) -> None:
        """What the other had is the member's from now on (rule 30)."""
        member = self._member(letter)
        before = self.totals(member.name)
        if member.provisional and not handed.was.provisional:
            self.release_all(member, letter)
        for lot in merges.take_over(member, handed):
            self._release_now(member, lot, letter)
        self.owners.update({key: member.name for key, owner in self.owners.items() if owner == handed.was.name})
        merges.pay(member, handed.was.account.deficit)
        merges.fill_cards(member, self.versions, handed.was, letter)
        merges.end(member)
        if merges.better(member, self.versions, handed):
            tiers.give(member, self.versions, handed.tier, handed.until)
        tiers.settle(member, self.versions, before)
