"""The naive model: a member recomputed from the list of their facts, in order of arrival."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import datetime, timedelta

from services.earning.program.terms import Program, Versions
from services.earning.source_events.facts import Fact
from shared.facts.adjustments import PointsAdjust, PointsReinstate
from shared.facts.imports import BalanceImport, ImportRevert
from shared.facts.members import MemberClosed, MemberEnrolled, MemberUpdated, TierAssigned
from shared.facts.redemptions import RedemptionCancelled, RedemptionRequested
from tests.support.model import beyond_orders, commands, tiers
from tests.support.model.account import KeyId
from tests.support.model.deciding_orders import decide_order, refuse
from tests.support.model.letters import Letter
from tests.support.model.lifetimes import release
from tests.support.model.member import DeadLetterError, NaiveGrant, NaiveMember, NaiveOrder, NaiveRedemption, Said
from tests.support.model.order_facts import content, view
from tests.support.model.touching import TOUCHING, Touching

SETTLE = timedelta(hours=1)
FUTURE = timedelta(minutes=5)
NAMES = {
    RedemptionRequested: ("redemption", "redemption_id"),
    RedemptionCancelled: ("redemption", "redemption_id"),
    PointsAdjust: ("adjustment", "adjustment_id"),
    PointsReinstate: ("reinstatement", "reinstate_id"),
    BalanceImport: ("import", "batch_id", "row"),
    ImportRevert: ("revert", "batch_id"),
}
"""Commands: what they are about, and the fields that name it."""


class Naive(Touching):
    """All members of one program."""

    def take(self, fact: Fact) -> str:
        """One fact in order of arrival; returns applied, duplicate, rejected, or the reason of the dead letter."""
        try:
            refuse_at_once(self.versions, fact)
            return self.forward(fact) if self.is_alias(fact.member) else self._take(fact)
        except DeadLetterError as error:
            return error.reason

    def advance(self, name: str, until: datetime) -> None:
        """Bring a member's time forward."""
        member = self.members.get(name)
        if member is not None and member.clock is not None and until > member.clock:
            self._advance(member, until)

    def _take(self, fact: Fact) -> str:
        match fact.data:
            case MemberEnrolled() | MemberUpdated() | MemberClosed():
                return self._say_who(fact)
            case TierAssigned():
                return self._assign(fact)
            case PointsReinstate():
                return self._whole(fact)
        if isinstance(fact.data, TOUCHING):
            return self.touch(fact)
        if type(fact.data) in beyond_orders.RANKS:
            return self._beyond_order(fact)
        return self._command(fact) if type(fact.data) in NAMES else self._order_fact(fact)

    def _member(self, fact: Fact | Letter) -> NaiveMember:
        """The member, with time brought as far as this fact says."""
        is_known = fact.member in self.members
        member = self.members.setdefault(fact.member, NaiveMember(fact.member))
        times = (fact.received_at, member.decided_at, member.clock)
        decided_at = max(time for time in times if time is not None)
        until = max(min(fact.occurred_at, decided_at), decided_at - SETTLE)
        if not is_known and not isinstance(fact.data, MemberEnrolled):
            member.account.waits = (self.versions.at(until) or self.versions.all[0]).enrolment_required
        self._advance(member, max(until, member.clock or until))
        member.decided_at = decided_at
        if member.since is None:  # where anniversaries count from, for ever
            member.since = getattr(fact.data, "joined_at", None) or fact.occurred_at
        member.cause_at = fact.occurred_at
        member.said = Said()
        return member

    def _advance(self, member: NaiveMember, until: datetime) -> None:
        """Work off what is due up to and including an instant, in order: instant, release, expire, tier (rule 17)."""
        if member.clock is None:
            member.clock = until
        while (due := self._next_due(member)) is not None and due <= until:
            self._work_off(member, due)
        member.clock = until

    def _next_due(self, member: NaiveMember) -> datetime | None:
        account, now = member.account, member.now
        dues = [lot.release_at for lot in account.lots if lot.pending and lot.remaining and not account.waits]
        dues += [account.ends(lot) for lot in account.spendable()]
        dues += [order.over_at for order in member.orders.values()]
        dues.append(tiers.next_check(member, self.versions))
        return min((due for due in dues if due is not None and due > now), default=None)

    def _work_off(self, member: NaiveMember, at: datetime) -> None:
        program = self.versions.at(at)
        before = tiers.totals(member, program)
        member.clock = member.cause_at = at
        for lot in member.account.lots:
            if lot.pending and lot.remaining and lot.release_at == at and not member.provisional:
                release(member, lot, self._program_of(member, lot, at))
        for lot in member.account.spendable():
            if member.account.ends(lot) == at:
                member.account.expire(lot)
        tiers.judge(member, self.versions)
        tiers.settle(member, self.versions, before)

    def _say_who(self, fact: Fact) -> str:
        """Enrolled, updated or closed: of each thing the newest word counts (rules 36, 71)."""
        known = self.members.get(fact.member)
        if known and any((seen.occurred_at, seen.data) == (fact.occurred_at, fact.data) for seen in known.words):
            return "duplicate"
        member = self._member(fact)
        before = self.totals(fact.member)
        member.words.append(fact)
        said = [word for word in member.words if getattr(word.data, "segments", None) is not None]
        if said and max(said, key=lambda word: word.occurred_at) is fact:
            member.segments = getattr(fact.data, "segments", None) or ()
        memberships = [word for word in member.words if not isinstance(word.data, MemberUpdated)]
        if memberships and max(memberships, key=lambda word: word.occurred_at) is fact:
            if isinstance(fact.data, MemberClosed) and not member.closed:
                commands.close(member)
            member.closed = isinstance(fact.data, MemberClosed)
        if isinstance(fact.data, MemberEnrolled):
            if member.provisional:
                self.release_all(member, fact)
            beyond_orders.welcome(member, self.versions, fact)
        tiers.settle(member, self.versions, before)
        return "applied"

    def _assign(self, fact: Fact) -> str:
        """A person gives a tier; of several the newest counts (rule 64)."""
        assert isinstance(fact.data, TierAssigned)
        known = self.members.get(fact.member)
        if known and any((seen.occurred_at, seen.data) == (fact.occurred_at, fact.data) for seen in known.tier_words):
            return "duplicate"
        refuse_tier(self.versions, fact, fact.data.tier)
        member = self._member(fact)
        before = self.totals(fact.member)
        member.tier_words.append(fact)
        if max(member.tier_words, key=lambda word: word.occurred_at) is fact and not member.closed:
            tiers.give(member, self.versions, fact.data.tier, fact.data.until)
        tiers.settle(member, self.versions, before)
        return "applied"

    def _whole(self, fact: Fact) -> str:
        """A command that may turn out to be undecidable when time has come to it: then nothing has happened."""
        saved = copy.deepcopy(self.members.get(fact.member)), dict(self.owners)
        try:
            return self._command(fact)
        except DeadLetterError:
            self.members.pop(fact.member, None)
            if saved[0] is not None:
                self.members[fact.member] = saved[0]
            self.owners = saved[1]
            raise

    def _command(self, fact: Fact) -> str:
        """A redemption, adjustment, import, revert or reinstatement: one effect per key."""
        kind, *names = NAMES[type(fact.data)]
        key: KeyId = (fact.source, kind, "/".join(str(getattr(fact.data, name)) for name in names))
        if self.owners.get(key, fact.member) != fact.member:
            raise DeadLetterError("owned_by_another_member")
        known = self.members.get(fact.member)
        if (again := self._again(known, key, fact)) is not None:
            return again
        decided_at = max(fact.received_at, known.decided_at if known and known.decided_at else fact.received_at)
        program = self.versions.at(fact.occurred_at) or self.versions.all[0]
        commands.refuse(fact, decided_at)
        if isinstance(fact.data, BalanceImport) and fact.data.tier is not None:
            refuse_tier(self.versions, fact, fact.data.tier)
        member = self._member(fact)
        self.owners[key] = fact.member
        before = self.totals(fact.member)
        outcome = self._obey(member, program, key, fact)
        tiers.settle(member, self.versions, before)
        return outcome

    def _again(self, known: NaiveMember | None, key: KeyId, fact: Fact) -> str | None:
        """Whether this key was said before: the same is a duplicate, other content a conflict (rules 19, 51)."""
        if known is None:
            return None
        if isinstance(fact.data, RedemptionCancelled):
            redemption = known.redemptions.get(key)
            seen = redemption.cancels.get(fact.data.cancel_id or "") if redemption else None
        elif isinstance(fact.data, RedemptionRequested):
            redemption = known.redemptions.get(key)
            seen = redemption.request if redemption else None
        else:
            seen = next(iter(known.commands.get(key, [])), None)
            if isinstance(fact.data, ImportRevert):
                said = [revert.data for revert in known.commands.get(key, [])]
                return "duplicate" if fact.data in said else None
        if seen is None:
            return None
        if seen.data == fact.data:
            return "duplicate"
        raise DeadLetterError("conflict")

    def _obey(self, member: NaiveMember, program: Program, key: KeyId, fact: Fact) -> str:
        redemption = member.redemptions.setdefault(key, NaiveRedemption()) if key[1] == "redemption" else None
        if redemption is not None and isinstance(fact.data, RedemptionRequested):
            tier = tiers.tier_at(member, self.versions, fact.occurred_at)
            return commands.request(member, program, redemption, fact, tier)
        if redemption is not None:
            return commands.cancel(member, program, redemption, fact)
        member.commands.setdefault(key, []).append(fact)
        match fact.data:
            case PointsAdjust():
                return commands.adjust(member, program, key, fact)
            case BalanceImport():
                return commands.bring_in(member, self.versions, program, key, fact)
            case PointsReinstate():
                return commands.reinstate(member, program, fact)
            case _:
                return commands.revert(member, self.versions, program, fact)

    def _order_fact(self, fact: Fact) -> str:
        key: KeyId = (fact.source, "order", fact.data.order_id)  # type: ignore[union-attr]
        if self.owners.get(key, fact.member) != fact.member:
            raise DeadLetterError("owned_by_another_member")
        known = self.members.get(fact.member)
        seen = known.orders[key].facts if known and key in known.orders else []
        if content(fact) in map(content, seen):
            return "duplicate"
        refuse(self.versions, view([*seen, fact]))
        member = self._member(fact)
        self.owners[key] = fact.member
        order = member.orders.setdefault(key, NaiveOrder())
        order.facts.append(fact)
        before = self.totals(fact.member)
        decide_order(member, self.versions, key, order, fact)
        self.follow(member, fact)
        tiers.settle(member, self.versions, before)
        return "applied"

    def _beyond_order(self, fact: Fact) -> str:
        """A review or an activity: what it is worth follows from all that was told of it."""
        fact, key = beyond_orders.kept(self.versions, fact), beyond_orders.key_of(fact)
        if self.owners.get(key, fact.member) != fact.member:
            raise DeadLetterError("owned_by_another_member")
        known = self.members.get(fact.member)
        if known and key in known.grants and beyond_orders.said_before(known.grants[key].facts, fact):
            return "duplicate"
        member = self._member(fact)
        self.owners[key] = fact.member
        grant = member.grants.setdefault(key, NaiveGrant())
        grant.facts.append(fact)
        before = self.totals(fact.member)
        beyond_orders.decide_grant(member, self.versions, key, grant, fact)
        tiers.settle(member, self.versions, before)
        return "applied"


def refuse_at_once(versions: Versions, fact: Fact) -> None:
    """What can't be decided whoever it is about."""
    if fact.occurred_at > fact.received_at + FUTURE:
        raise DeadLetterError("occurred_in_future")
    if not versions.all:
        raise DeadLetterError("unknown_program")


def refuse_tier(versions: Versions, fact: Fact, tier: str) -> None:
    """A tier that the program doesn't have can't be given."""
    known = (versions.at(fact.occurred_at) or versions.all[0]).tiers
    if known is None or tier not in [level.id for level in known.levels]:
        raise DeadLetterError("unknown_tier")


def run(versions: Versions, facts: Iterable[Fact], until: datetime | None = None) -> tuple[Naive, list[str]]:
    """All facts in order of arrival, then time up to `until`; the model and what became of every fact."""
    model = Naive(versions)
    outcomes = [model.take(fact) for fact in facts]
    if until is not None:
        for name in model.members:
            model.advance(name, until)
    return model, outcomes
