"""Members of the naive model who touch members: facts that mean something for another, and the letters that say so."""

from __future__ import annotations

from abc import ABC, abstractmethod

from services.earning.program.terms import Versions
from services.earning.source_events.facts import Fact
from services.earning.source_events.referrals import ReferralClicked
from tests.model import referrals, tiers
from tests.model.account import KeyId
from tests.model.letters import Letter, Letters
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
