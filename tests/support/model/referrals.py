"""Referrals of the naive model: whether one qualifies, by all facts known of it, and what both sides get (rule 26).

The referee's side asks the referrer's whether there is room, and rewards once the answer is yes (decision 0015).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from services.earning.program.terms import Program, Referrals, Versions
from services.earning.source_events.facts import Fact
from shared.facts.referrals import ReferralCompleted, ReferralJoined, ReferralUnblock, ReferralVoided
from tests.support.model.account import KeyId
from tests.support.model.awards import Who, holds, rounded
from tests.support.model.deciding_orders import put
from tests.support.model.letters import Letter, Letters, Told
from tests.support.model.lifetimes import release, release_of
from tests.support.model.member import DeadLetterError, NaiveMember
from tests.support.model.order_facts import content, view
from tests.support.model.pinning import first_order
from tests.support.model.referral_books import Answer, NaiveReferral, NaiveReferred, NaiveReward, Question
from tests.support.model.tiers import tier_at

REFERRAL = "referral"
SIGNALS = ("same_ip", "same_device", "same_payment")
RANKS: dict[type, int] = {ReferralJoined: 0, ReferralCompleted: 1, ReferralVoided: 2, ReferralUnblock: 3}
WINDOWS = {"day": "%Y-%m-%d", "week": "%G-%V", "month": "%Y-%m", "year": "%Y", "lifetime": ""}


NOTHING = Question()

Found = tuple[str, Question]
"""What a referral comes to: why it is blocked, or (qualifying) what is asked."""


def seen(known: NaiveMember | None, key: KeyId, fact: Fact) -> bool:
    """Whether a fact was told before."""
    return known is not None and key in known.referrals and content(fact) in map(content, known.referrals[key].facts)


def refuse(known: NaiveMember | None, key: KeyId, fact: Fact) -> None:
    """A referral is of one referrer for ever."""
    named = getattr(fact.data, "referrer_id", "")
    said = known.referrals[key].referrer if known is not None and key in known.referrals else ""
    if named and said and named != said:
        raise DeadLetterError("conflict")


def hear(member: NaiveMember, versions: Versions, key: KeyId, fact: Fact, letters: Letters) -> None:
    """Take a fact of a referral in."""
    referral = member.referrals.pop(key, NaiveReferral())
    member.referrals[key] = referral  # of several that follow one order, that told of last comes last
    referral.facts.append(fact)
    referral.referrer = referral.referrer or getattr(fact.data, "referrer_id", "")
    follow(member, versions, key, fact, letters)


def follow(member: NaiveMember, versions: Versions, key: KeyId, fact: Told, letters: Letters) -> None:
    """Bring a referral to what it should be: taken back at once, asked for where it is to be given or has changed."""
    referral = member.referrals[key]
    completed = _completed(referral)
    referral.named = completed.order_id if completed is not None else ""
    if referral.is_new is None and completed is not None:
        referral.is_new = not sum(row.lifetime_points or 0 for row in member.imported.values())
    blocked, question = _found(member, versions, key, referral)
    asked = referral.asked
    goes_on = asked.qualifies and question.qualifies
    referral.blocked = blocked or (referral.blocked if goes_on else "")
    if referral.granted and not question.qualifies:
        take_back(member, key)
        referral.granted = False
    elif referral.granted:
        wait_anew(member, key, question, fact)
    if question != replace(asked, version=0):
        version = asked.version + 1
        if question.qualifies and not asked.qualifies:
            referral.since = version
        referral.asked = replace(question, version=version)
        letters.send(member.name, Letter.after(fact, member, referral.referrer, key, referral.asked))


def _ordered(referral: NaiveReferral, *kinds: type) -> list[Fact]:
    facts = [fact for fact in referral.facts if type(fact.data) in kinds]
    return sorted(facts, key=lambda fact: (fact.occurred_at, RANKS[type(fact.data)], content(fact)))


def _completed(referral: NaiveReferral) -> ReferralCompleted | None:
    """The newest completion."""
    newest = next(reversed(_ordered(referral, ReferralCompleted)), None)
    data = newest.data if newest is not None else None
    assert data is None or isinstance(data, ReferralCompleted)
    return data


def _found(member: NaiveMember, versions: Versions, key: KeyId, referral: NaiveReferral) -> Found:
    """Whether a referral qualifies now, by its own facts and its order's (rules 26, 67)."""
    completed = _completed(referral)
    last = next(reversed(_ordered(referral, ReferralCompleted, ReferralVoided)), None)
    if completed is None or last is None or isinstance(last.data, ReferralVoided):
        return "", NOTHING
    order = member.orders.get((key[0], "order", completed.order_id))
    program = versions.at(order.when) if order is not None and order.when is not None else None
    if order is None or order.pinned is None or program is None or program.referrals is None:
        return "", NOTHING
    if not (order.left and order.counts) or order.spend < program.referrals.minimum_micros:
        return "", NOTHING
    unblocked = any(isinstance(fact.data, ReferralUnblock) for fact in referral.facts)
    blocked = "" if unblocked else _why_blocked(member, program.referrals, referral, first=order.pinned.first_order)
    if blocked:
        return blocked, NOTHING
    waits, release_at = release_of(view(order.facts), program, None)
    question = Question(
        qualifies=True,
        order_id=completed.order_id,
        when=order.when,
        waits=waits,
        release_at=release_at,
        unblocked=unblocked,
    )
    return "", question


def _why_blocked(member: NaiveMember, terms: Referrals, referral: NaiveReferral, *, first: bool) -> str:
    """Why a referral that would qualify is blocked; empty: it isn't (rule 67)."""
    completed = _completed(referral)
    if referral.referrer == member.name:
        return "self_referral"
    if not (first and referral.is_new):
        return "not_a_new_customer"
    signals = completed.signals if completed is not None else {}
    return next((name for name in SIGNALS if signals.get(name) and name in terms.blocks), "")


def take_back(member: NaiveMember, key: KeyId) -> None:
    """A side's reward is reversed."""
    reward = member.rewards[key]
    forgive = reward.program.deficit == "forgive"
    member.account.reverse(key, reward.points, forgive=forgive)
    member.rewards[key] = replace(reward, points=0)


def wait_anew(member: NaiveMember, key: KeyId, question: Question, fact: Told) -> None:
    """What waits for the order's pending time has its date anew, and is released if that has come."""
    if not question.waits or member.closed:
        return
    for lot in sorted(member.account.of(key), key=lambda lot: lot.number):
        if lot.pending and lot.remaining:
            lot.release_at = question.release_at
            if lot.release_at is not None and lot.release_at <= member.now and not member.provisional:
                release(member, lot, member.rewards[key].program, late=fact.occurred_at < member.now)


def reward(
    member: NaiveMember, key: KeyId, program: Program, who: Who, points: int, question: Question, fact: Told
) -> None:
    """A side is given its points, times what multiplies referrals."""
    given = 0 if member.closed else _multiplied(program, who, points)
    member.rewards[key] = NaiveReward(who.when, given, program)
    if given:
        put(member, key, program, fact.occurred_at, given, (question.waits, question.release_at))


def _multiplied(program: Program, who: Who, points: int) -> int:
    """Points times the multipliers of tier and campaigns that name referrals (rules 24, 65)."""
    factors = [
        campaign.multiplier
        for campaign in program.campaigns
        if REFERRAL in campaign.activities and holds(campaign.conditions, who, program)
    ]
    for level in program.tiers.levels if program.tiers is not None else ():
        factors += [factor for name, factor in level.activities if level.id == who.tier and name == REFERRAL]
    if program.multipliers == "highest":
        return rounded(points * max(factors, default=Fraction(1)), program.rounding)
    total = Fraction(points)
    for factor in factors:
        total *= factor
    return rounded(total, program.rounding)


def answer_is_news(known: NaiveMember | None, key: KeyId, answer: Answer) -> bool:
    """Whether an answer says something that was not known, of the question that is open."""
    referral = known.referrals.get(key) if known is not None else None
    if referral is None or not referral.asked.qualifies:
        return False
    return answer.version >= referral.since and answer.version > referral.answered


def hear_answer(member: NaiveMember, versions: Versions, key: KeyId, answer: Answer, letter: Letter) -> None:
    """The referrer's side has answered: the referee has their points, or doesn't."""
    referral = member.referrals[key]
    referral.answered, referral.blocked = answer.version, answer.blocked
    if answer.blocked or referral.granted:
        return
    order = member.orders[(key[0], "order", referral.asked.order_id)]
    now, when = view(order.facts), order.when
    program = versions.at(when) if when is not None else None
    assert program is not None
    assert program.referrals is not None
    assert order.pinned is not None
    assert when is not None
    pinned = order.pinned
    who = Who(when, pinned.tier, pinned.segments, pinned.first_order, now.channel, now.store)
    referral.granted = True
    reward(member, key, program, who, program.referrals.referee, referral.asked, letter)


def question_is_news(known: NaiveMember | None, key: KeyId, question: Question) -> bool:
    """Whether a question is newer than those known."""
    referred = known.referred.get(key) if known is not None else None
    return referred is None or question.version > referred.version


def hear_question(
    member: NaiveMember, versions: Versions, key: KeyId, question: Question, letter: Letter, letters: Letters
) -> None:
    """The referee's side asks: there is room or not, the referrer is rewarded or loses it; what qualifies is answered.

    Who was refused for want of room stays so while it qualifies, until a person unblocks it.
    """
    referred = member.referred.setdefault(key, NaiveReferred())
    referred.version = question.version
    counted = referred.counts
    if not question.qualifies or question.when is None:
        referred.place, referred.refused = "", False
    else:
        _find_room(member, versions, referred, question)
    referred.counts = question.qualifies and not referred.refused
    if referred.counts and not counted:
        _reward_referrer(member, versions, key, question, letter)
    elif counted and not referred.counts:
        take_back(member, key)
    elif referred.counts:
        wait_anew(member, key, question, letter)
    if question.qualifies:
        answer = Answer(question.version, "referrer_cap" if referred.refused else "")
        letters.send(member.name, Letter.after(letter, member, letter.sender, key, answer))


def _find_room(member: NaiveMember, versions: Versions, referred: NaiveReferred, question: Question) -> None:
    assert question.when is not None
    program = versions.at(question.when)
    limit = program.referrals.limit if program is not None and program.referrals is not None else None
    if program is None or limit is None or referred.place:
        return
    place = "in " + question.when.astimezone(program.zone).strftime(WINDOWS[limit.per])
    used = sum(other.place == place for other in member.referred.values())
    if question.unblocked or (used < limit.times and not referred.refused):
        referred.place = place
    referred.refused = not referred.place


def _reward_referrer(member: NaiveMember, versions: Versions, key: KeyId, question: Question, letter: Letter) -> None:
    assert question.when is not None
    program = versions.at(question.when)
    assert program is not None
    assert program.referrals is not None
    tier = tier_at(member, versions, question.when)
    who = Who(question.when, tier, member.segments, first_order(member), None, None)
    reward(member, key, program, who, program.referrals.referrer, question, letter)
