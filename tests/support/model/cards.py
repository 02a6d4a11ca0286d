"""Stamp cards in the naive model: what fills them, and what is due for those that are complete (rules 28, 69)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.earning.program.terms import Card, Program, Versions
from services.earning.source_events.facts import Fact
from shared.point_events import SOURCE
from tests.support.model.account import KeyId, NaiveLot
from tests.support.model.awards import selects
from tests.support.model.lifetimes import active, start_life
from tests.support.model.member import Completed, NaiveCard, NaiveGrant, NaiveMember, NaiveOrder
from tests.support.model.order_facts import OrderView
from tests.support.model.priced import Priced, price, refunded


def give_points(member: NaiveMember, key: KeyId, program: Program, at: datetime, points: int) -> None:
    """Points of anything but an order: a lot of its own, available at once (rule 65)."""
    account = member.account
    account.counters["earned"] += points
    lot = NaiveLot(len(account.lots) + 1, key, points, points, at, at)
    start_life(member, lot, program, at, member.decided_at or at)
    account.add(lot)
    active(member, program, at)


def activity_stamps(program: Program, kind: str, quantity: int) -> dict[str, int]:
    """An activity that counts fills the cards that name it, a stamp for each unit (rule 68)."""
    return {card.id: quantity for card in program.cards if card.activity == kind and quantity}


def order_stamps(program: Program, order: OrderView) -> dict[str, int]:
    """An order that counts fills cards with its units, without those that a refund named or lines that are gone."""
    if order.sold is None:
        return {}
    counted = [r for r in order.refunds if program.basis.store_credit_refunds or r.tender == "cash"]
    units: list[tuple[Priced, int]] = []
    for priced in refunded(price(order.sold, program.basis), order.sold, order.refunds, program.basis):
        line = priced.line
        if line is None or priced.gone >= 1 or (line.gift_card and not program.basis.gift_cards):
            continue
        back = sum(named.quantity or 0 for r in counted for named in r.lines if named.line_id == line.line_id)
        units.append((priced, max(0, line.quantity - back)))
    cards = {card.id: card.selection for card in program.cards if card.selection is not None}
    found = {card: sum(left for priced, left in units if selects(which, priced)) for card, which in cards.items()}
    return {card: stamps for card, stamps in found.items() if stamps}


def stamps_on(member: NaiveMember, card: str) -> int:
    """All stamps of a member's card: the sum over whatever holds some."""
    holders: list[NaiveOrder | NaiveGrant] = [*member.orders.values(), *member.grants.values()]
    return sum(holder.stamps.get(card, 0) for holder in holders)


def bring_stamps(
    member: NaiveMember,
    versions: Versions,
    program: Program | None,
    holder: NaiveOrder | NaiveGrant,
    before: dict[str, int],
    fact: Fact,
) -> None:
    """What a fact changes of the member's cards; `holder` has its stamps already, `before` are those it had.

    Who is closed collects nothing more (rule 71).
    """
    if member.closed:
        least = {card: min(held, before.get(card, 0)) for card, held in holder.stamps.items()}
        holder.stamps = {card: held for card, held in least.items() if held}
    terms = {card.id: card for card in program.cards} if program is not None else {}
    for name in {**before, **holder.stamps}:
        change = holder.stamps.get(name, 0) - before.get(name, 0)
        card = member.cards.setdefault(name, NaiveCard()) if change else NaiveCard()
        if change:
            card.every = terms[name].every if name in terms else card.every
            total = stamps_on(member, name)
            member.said.stamps.append((name, change, total, card.every - total % card.every))
        if change > 0 and program is not None:
            complete(member, card, terms[name], program, total // card.every, fact.occurred_at)
        elif change < 0:
            _uncomplete(member, versions, card, total)


def complete(member: NaiveMember, card: NaiveCard, terms: Card, program: Program, due: int, at: datetime) -> None:
    """More stamps: what is complete more often than ever is said, what is paid less often is paid."""
    if due > card.best:
        member.said.completed.append((terms.id, due, due - card.best))
        card.best = due
    paid = card.paid[-1].first + card.paid[-1].cards - 1 if card.paid else 0
    if terms.points and due > paid:
        key: KeyId = (SOURCE, "stamp_card", f"{member.name}/{terms.id}/{paid + 1}")
        points = (due - paid) * terms.points
        card.paid.append(Completed(key, paid + 1, due - paid, terms.every, terms.points))
        member.grants[key] = NaiveGrant(points=points, when=at)
        give_points(member, key, program, at, points)


def _uncomplete(member: NaiveMember, versions: Versions, card: NaiveCard, total: int) -> None:
    """Fewer stamps: what they don't complete any more is taken back, the last first, worth what it was."""
    while card.paid:
        last = card.paid.pop()
        left = max(0, min(last.cards, total // last.every - last.first + 1))
        if left:
            card.paid.append(replace(last, cards=left))
        if points := (last.cards - left) * last.each:
            grant = member.grants[last.key]
            grant.points -= points
            program = versions.at(grant.when) if grant.when is not None else None
            member.account.reverse(last.key, points, forgive=program is not None and program.deficit == "forgive")
        if left:
            return
