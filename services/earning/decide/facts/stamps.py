"""Stamps: what a fact's key holds of each card, and what a card is worth that is complete so many times.

Rules 28, 68 and 69.

Points for a card follow its stamps up and down. A reward that can't be taken back stays: the next comes once the card
is complete more often than ever.
"""

from __future__ import annotations

from collections import Counter

from msgspec.structs import replace

from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.points.settlement import Settlement, by_rule, granted_anew
from services.earning.decide.value.basis import Lines, lines_of
from services.earning.decide.value.plans import selects
from services.earning.decide.value.valuation import counted, left_of
from services.earning.program.terms import Card, Program
from services.earning.state.keys import CardState, OrderState, SoldLine
from services.earning.state.standing import BusinessKey, CardHeld, KeyRow
from shared.point_events import SOURCE, StampCardCompleted, StampCollected


def stamps_of_activity(program: Program | None, kind: str, quantity: int) -> dict[str, int]:
    """The stamps of an activity that counts, by card: one for each unit."""
    if program is None or not quantity:
        return {}
    return {card.id: quantity for card in program.cards if card.activity == kind}


def stamps_of_order(program: Program, book: OrderState) -> dict[str, int]:
    """The stamps of an order that counts, by card: one for each unit that is left of the lines selected."""
    if book.sold is None:
        return {}
    lines = lines_of(book.sold, program.basis)
    units = _units_left(program, book, lines)
    stamps = {
        card.id: sum(number for line, number in zip(lines.sold, units, strict=True) if _has(card, line))
        for card in program.cards
    }
    return {card: number for card, number in stamps.items() if number}


def _units_left(program: Program, book: OrderState, lines: Lines) -> list[int]:
    """The units of each line that have stamps. Gift cards have none where they earn nothing.

    A unit is lost where a refund names quantities, or the whole line came back; a refund that takes no points takes no
    stamps (rule 69).
    """
    units = [0 if line.gift_card and not program.basis.gift_cards else line.quantity for line in lines.sold]
    shares = left_of(book, program.basis, lines)
    if shares is None:
        return units
    lost: Counter[str] = Counter()
    for refund in counted(book, program.basis):
        for back in refund.lines:
            lost[back.line_id] += back.quantity or 0
    return [
        max(0, number - lost[line.line_id]) if share else 0
        for line, number, share in zip(lines.sold, units, shares, strict=True)
    ]


def _has(card: Card, line: SoldLine) -> bool:
    """Whether a card has stamps for a line; shipping, which has no line_id, has none."""
    return card.selection is not None and bool(line.line_id) and selects(card.selection, line)


def collect(
    settlement: Settlement, row: KeyRow, program: Program | None, before: dict[str, int], now: dict[str, int]
) -> None:
    """Bring the cards from what a key held of them to what it holds now, and say so.

    A card that the key's version doesn't have any more loses its stamps all the same.

    Raises:
        RowsMissingError: a card's row was not looked for yet.
    """
    cards = {card.id: card for card in program.cards} if program is not None else {}
    for name in {**before, **now}:
        change = now.get(name, 0) - before.get(name, 0)
        if change:
            held = settlement.draft.standing.cards.get(name, CardHeld())
            card = cards.get(name) or Card(name, held.every or 1)
            _stamp(settlement, row, card, held, change, known=name in cards)


def _stamp(settlement: Settlement, row: KeyRow, card: Card, held: CardHeld, change: int, *, known: bool) -> None:
    """More stamps complete cards, by the version that gives them; fewer take back those that they don't make up."""
    draft = settlement.draft
    total = held.stamps + change
    due, missing = total // card.every, card.every - total % card.every
    key = event_key(row.key)
    draft.record(StampCollected(key=key, card=card.id, stamps=change, total=total, missing=missing))
    held = replace(held, stamps=total, every=card.every)
    if change > 0 and known:
        if due > held.best:
            more = due - held.best
            draft.record(StampCardCompleted(key=key, card=card.id, number=due, cards=more, reward=card.reward))
            held = replace(held, best=due)
        if card.points and due > held.cards:
            held = _pay(settlement, card, held, due)
    elif change < 0:
        held = _take(settlement, card, held)
    draft.standing.cards = {**draft.standing.cards, card.id: held}


def _pay(settlement: Settlement, card: Card, held: CardHeld, due: int) -> CardHeld:
    """Pay for cards completed anew, as one grant; it remembers where those before it begin."""
    first = held.cards + 1
    _settle(settlement, card, first, due - held.cards, CardState(before=held.last, every=card.every))
    return replace(held, cards=due, last=first)


def _take(settlement: Settlement, card: Card, held: CardHeld) -> CardHeld:
    """Take the points of cards back that are not complete any more, the last ones first.

    Each needs the stamps that it needed when it was completed, whatever the card asks for since.
    """
    paid, last = held.cards, held.last
    while last:
        book = settlement.draft.state(_key(settlement.draft, card, last), CardState)
        complete = held.stamps // (book.every or card.every)
        if complete >= paid:
            break
        paid = max(complete, last - 1)
        _settle(settlement, card, last, paid - last + 1, book)
        if paid < last:
            last = book.before
    return replace(held, cards=paid, last=last)


def _settle(settlement: Settlement, card: Card, first: int, cards: int, book: CardState) -> None:
    """Settle the grant of so many cards, each worth what it was when the first of them was paid.

    Raises:
        RowsMissingError: the row of these cards was not looked for yet.
    """
    draft, key = settlement.draft, _key(settlement.draft, card, first)
    known = draft.state(key, CardState)
    row, grant = draft.put(key, known), known.grant
    each = grant.points // known.cards if grant.points else card.points
    if not grant.points:
        grant = granted_anew(draft, grant, draft.occurred_at)
    row.book = CardState(settlement.settle(row, grant, by_rule(card.id, each * cards)), cards, book.before, book.every)


def _key(draft: Draft, card: Card, first: int) -> BusinessKey:
    standing = draft.standing
    return BusinessKey(standing.program, SOURCE, "stamp_card", f"{standing.member}/{card.id}/{first}")
