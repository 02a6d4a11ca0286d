"""Members of the naive model who touch members: facts that mean something for another, and the letters that say so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime

from services.earning.program.terms import Program, Versions
from services.earning.source_events.facts import Fact
from services.earning.source_events.referrals import ReferralClicked
from tests.model import referrals, tiers
from tests.model.account import KeyId, NaiveLot
from tests.model.letters import Letter, Letters
from tests.model.lifetimes import release
from tests.model.member import DeadLetterError, NaiveMember
from tests.model.post import Pair
from tests.model.referral_books import Answer, Question


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

    def deliver(self, pair: Pair) -> None:
        """The oldest message from one member to another arrives, where there is one."""
        letter = self.letters.fetch(pair)
        if letter is not None:
            self._open(letter)

    def _program_of(self, member: NaiveMember, lot: NaiveLot, at: datetime) -> Program:
        """The version by which a lot was made."""
        if lot.key in member.rewards:
            return member.rewards[lot.key].program
        order = member.orders.get(lot.key)
        return self.versions.at((order.when if order is not None else None) or at) or self.versions.all[0]

    def release_all(self, member: NaiveMember, fact: Fact | Letter) -> None:
        """A guest has enrolled: what waited for that alone is released (rules 30, 71)."""
        member.account.waits = False
        for lot in sorted(member.account.lots, key=lambda lot: lot.number):
            if lot.pending and lot.remaining and lot.release_at is not None and lot.release_at <= member.now:
                lot.release_at = max(lot.release_at, fact.occurred_at)
                program = self._program_of(member, lot, member.now)
                release(member, lot, program, late=fact.occurred_at < member.now)

    def follow(self, member: NaiveMember, fact: Fact) -> None:
        """An order has changed: so may have what its referrals mean."""
        for referral in member.referrals:
            referrals.follow(member, self.versions, referral, fact, self.letters)

    def refer(self, fact: Fact) -> str:
        """A referral's fact, at its referee (rule 26); a click on a referrer's link is only counted, once."""
        name = fact.data.referral_id  # type: ignore[union-attr]
        if isinstance(fact.data, ReferralClicked):
            return self._click(fact, (fact.source, "referral_click", name))
        return self._referral(fact, (fact.source, "referral", name))

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
        known, data = self.members.get(letter.member), letter.data
        key: KeyId = letter.key
        match data:
            case Question():
                key = (key[0], "referrer", key[2])
                if not referrals.question_is_news(known, key, data):
                    return
                member = self._member(letter)
                before = self.totals(letter.member)
                referrals.hear_question(member, self.versions, key, data, letter, self.letters)
            case Answer():
                key = (key[0], "referral", key[2])
                if not referrals.answer_is_news(known, key, data):
                    return
                member = self._member(letter)
                before = self.totals(letter.member)
                referrals.hear_answer(member, self.versions, key, data, letter)
        tiers.settle(member, self.versions, before)
