"""Reviews: points for what a review is now, one for each product where the program says so; removed it is worth 0.

Rules 25 and 66.
"""

from __future__ import annotations

from services.earning.decide.core.case import Case, Prepared
from services.earning.decide.core.content import content_hash
from services.earning.decide.core.decision import Outcome
from services.earning.decide.core.draft import Draft
from services.earning.decide.core.lifecycle import first_seen_at, is_active, with_change
from services.earning.decide.points.settlement import Settlement, first_granted, multiplied, nothing, program_of
from services.earning.program.terms import Program
from services.earning.state.keys import Change, ClaimState, Reviewed, ReviewState
from services.earning.state.standing import BusinessKey
from shared.facts.reviews import ReviewPublished, ReviewRemoved, ReviewUpdated
from shared.reasons import Reason

REVIEW = "review"
"""The kind of grant, as multipliers name it."""

_STATUS: dict[type, tuple[str, int]] = {
    ReviewPublished: ("published", 0),
    ReviewUpdated: ("updated", 1),
    ReviewRemoved: ("removed", 2),
}


def prepare_review(case: Case, data: ReviewPublished | ReviewRemoved) -> Prepared | None:
    """Take a fact into its review's book; None: it is known already."""
    book = case.state(ReviewState)
    status, rank = _STATUS[type(data)]
    new_hash = content_hash(case.fact)
    changes = with_change(book.changes, case.fact, status, rank, new_hash)
    if changes is None:
        return None
    content = _newest(book, changes, data)

    def settle(draft: Draft) -> Outcome:
        row = draft.put(case.key, book)
        there = content if content is not None and is_active(changes, "published", "removed") else None
        held = first_granted(draft, book.grant, first_seen_at(changes, {"removed"}), stands=there is not None)
        program = program_of(case.versions, held.pin)
        points, reason = _worth(program, there)
        once = program is not None and program.reviews is not None and program.reviews.once_per_product
        claimed, refused = _claim(draft, case, book, there, asks=bool(points) and once)
        refused = refused if once or not points else ""
        deserved = nothing(reason)
        if points and once and not claimed:
            deserved = nothing(Reason.PRODUCT_REVIEWED if refused else Reason.MEMBER_CLOSED)
        elif points and program is not None and held.pin is not None:
            deserved = multiplied(program, held.pin, REVIEW, REVIEW, points)
        settlement = Settlement(draft, "removed" if there is None else "edited")
        grant = settlement.settle(row, held, deserved)
        row.book = ReviewState(changes, content, grant, claimed, refused)
        settlement.move_tier(row)
        return Outcome.APPLIED

    return settle


def _newest(book: ReviewState, changes: list[Change], data: ReviewPublished | ReviewRemoved) -> Reviewed | None:
    """The content of the newest change that has one: of those of one time an update counts before the publication."""
    newest = next((change for change in reversed(changes) if change.status != "removed"), None)
    known = book.content
    if newest is None or isinstance(data, ReviewRemoved) or _is(known, newest):
        return known
    said = (data.product_id, data.photos, data.videos, data.verified, data.length)
    return Reviewed(newest.time, newest.content_hash, *said)


def _is(known: Reviewed | None, change: Change) -> bool:
    """Whether a change told the content that is known."""
    return known is not None and (known.time, known.content_hash) == (change.time, change.content_hash)


def _worth(program: Program | None, review: Reviewed | None) -> tuple[int, Reason]:
    """The points of a review before multipliers, and why they are none. No review: removed, or not told yet."""
    if review is None:
        return 0, Reason.NOTHING_CHANGED
    if program is None:
        return 0, Reason.NOT_IN_FORCE
    terms = program.reviews
    if terms is None:
        return 0, Reason.NOTHING_ELIGIBLE
    if terms.verified_only and not review.verified:
        return 0, Reason.NOT_VERIFIED
    if review.length < terms.length_min:
        return 0, Reason.TOO_SHORT
    photo, video = (terms.photo if review.photos else 0), (terms.video if review.videos else 0)
    return max(terms.points, photo, video), Reason.NOTHING_ELIGIBLE


def _claim(draft: Draft, case: Case, book: ReviewState, there: Reviewed | None, *, asks: bool) -> tuple[str, str]:
    """The product that the review has claimed, and the one that it was refused; `asks`: it would claim its own now.

    Refused once it stays so, whatever becomes of the other review, until it is removed or of another product. Who is
    closed claims nothing.

    Raises:
        RowsMissingError: the product's row was not looked for yet.
    """
    product = there.product if there is not None and asks else ""
    refused = book.refused if there is not None and book.refused == there.product else ""
    if book.claimed and book.claimed != product:
        others = tuple(one for one in _holders(draft, case, book.claimed) if one != case.key.id)
        draft.put(_product_key(case, book.claimed), ClaimState(others))
    if product and book.claimed == product:
        return product, ""
    if not product or refused or draft.standing.closed:
        return "", refused
    if _holders(draft, case, product):
        return "", product
    draft.put(_product_key(case, product), ClaimState((case.key.id,)))
    return product, ""


def _holders(draft: Draft, case: Case, product: str) -> tuple[str, ...]:
    """The member's reviews that have claimed a product."""
    return draft.state(_product_key(case, product), ClaimState).holders


def _product_key(case: Case, product: str) -> BusinessKey:
    return BusinessKey(case.fact.program, case.fact.source, "reviewed_product", f"{case.fact.member}/{product}")
