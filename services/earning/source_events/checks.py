"""Checks of a fact's data that its types can't say: money, currency, lines told apart, instants in UTC.

A check only says that something is wrong: `explain` finds out what, and where, since that costs more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import force_setattr

from services.earning.source_events.envelope import check_name
from shared.currencies import PLACES
from shared.errors import PermanentError
from shared.facts.activities import ActivityRecorded, ActivityWithdrawn
from shared.facts.adjustments import PointsAdjust, PointsReinstate
from shared.facts.imports import BalanceImport, ImportRevert
from shared.facts.members import MemberClaimed, MemberClosed, MemberEnrolled, MemberUpdated, TierAssigned
from shared.facts.orders import (
    Order,
    OrderCancelled,
    OrderFulfilled,
    OrderLine,
    OrderPaid,
    OrderRefunded,
    OrderUpdated,
    Refund,
)
from shared.facts.redemptions import RedemptionCancelled, RedemptionRequested
from shared.facts.referrals import ReferralClicked, ReferralCompleted, ReferralJoined, ReferralUnblock, ReferralVoided
from shared.facts.reviews import ReviewPublished, ReviewRemoved, ReviewUpdated
from shared.money import micros
from shared.reasons import Reason

YEAR_MIN = 1970
YEAR_MAX = 2199


def utc(instant: datetime) -> datetime:
    """The same instant in UTC.

    Raises:
        PermanentError: `invalid_time` outside of the years 1970 to 2199, where a unit must be mistaken.
    """
    if not YEAR_MIN <= instant.year <= YEAR_MAX:
        raise PermanentError(Reason.INVALID_TIME, f"{instant.isoformat()} is outside of {YEAR_MIN} to {YEAR_MAX}")
    return instant if instant.tzinfo is UTC else instant.astimezone(UTC)


def check_currency(code: str) -> None:
    """Refuse what is no ISO 4217 code.

    Raises:
        PermanentError: `unknown_currency`.
    """
    if code not in PLACES:
        raise PermanentError(Reason.UNKNOWN_CURRENCY, f"{code!r} is not an ISO 4217 currency code")


def check_rate(rate: str) -> None:
    """Refuse an exchange rate that is no decimal text, or 0.

    Raises:
        PermanentError: as `shared.money.micros`, and `out_of_range` for 0.
    """
    if not micros(rate):
        raise PermanentError(Reason.OUT_OF_RANGE, "an exchange rate is more than 0")


def check_line_ids(lines: tuple[OrderLine, ...]) -> None:
    """Refuse two lines of one id.

    Raises:
        PermanentError: `duplicate_line`.
    """
    if len({line.line_id for line in lines}) < len(lines):
        raise PermanentError(Reason.DUPLICATE_LINE, "two lines share a line_id")


def check_given(value: object) -> None:
    """Refuse an adjustment of 0 points, or one without a reason.

    Raises:
        PermanentError: `invalid_fact`.
    """
    if not value:
        raise PermanentError(Reason.INVALID_FACT, "it must say how many points, and why")


def check_one_of(reward: str | None, points: int | None) -> None:
    """Refuse a redemption of a reward and points, or of neither.

    Raises:
        PermanentError: `invalid_fact`.
    """
    if (reward is None) == (points is None):
        raise PermanentError(Reason.INVALID_FACT, "a redemption names either a reward or points")


def _check_order(order: Order) -> None:
    check_currency(order.currency)
    check_line_ids(order.lines)
    for line in order.lines:
        micros(line.subtotal)
        micros(line.discount)
        micros(line.tax)
    micros(order.discount)
    micros(order.shipping)
    micros(order.shipping_tax)
    micros(order.points_payment)
    if order.exchange_rate is not None:
        check_rate(order.exchange_rate)
    if order.placed_at is not None:
        # Nobody has seen this value yet: it is still being decoded.
        force_setattr(order, "placed_at", utc(order.placed_at))


def _check_refund(refund: Refund) -> None:
    for line in refund.lines:
        micros(line.amount)
        micros(line.tax)
    micros(refund.shipping)
    if refund.amount is not None:
        micros(refund.amount)


def _check_updated(order: OrderUpdated) -> None:
    _check_order(order)
    for refund in order.refunds:
        _check_refund(refund)


def _check_enrolled(member: MemberEnrolled) -> None:
    if member.joined_at is not None:
        force_setattr(member, "joined_at", utc(member.joined_at))


def _check_redemption(redemption: RedemptionRequested) -> None:
    check_one_of(redemption.reward, redemption.points)


def _check_adjust(adjust: PointsAdjust) -> None:
    check_given(adjust.points)
    check_given(adjust.reason)
    _expiry_in_utc(adjust)


def _check_reinstate(reinstate: PointsReinstate) -> None:
    check_given(reinstate.reason)
    _expiry_in_utc(reinstate)


def _expiry_in_utc(data: PointsAdjust | PointsReinstate | BalanceImport) -> None:
    if data.expires_at is not None:
        force_setattr(data, "expires_at", utc(data.expires_at))


def _check_tier(assigned: TierAssigned) -> None:
    if assigned.until is not None:
        force_setattr(assigned, "until", utc(assigned.until))


def _check_claimed(claimed: MemberClaimed) -> None:
    check_name(claimed.guest)


def _nothing_to_check(_: object) -> None:
    """Its types say all there is to say."""


CHECKS: dict[type, Callable[[Any], None]] = {
    OrderPaid: _check_order,
    OrderUpdated: _check_updated,
    OrderRefunded: _check_refund,
    OrderCancelled: _nothing_to_check,
    OrderFulfilled: _nothing_to_check,
    ReviewPublished: _nothing_to_check,
    ReviewUpdated: _nothing_to_check,
    ReviewRemoved: _nothing_to_check,
    ActivityRecorded: _nothing_to_check,
    ActivityWithdrawn: _nothing_to_check,
    ReferralClicked: _nothing_to_check,
    ReferralJoined: _nothing_to_check,
    ReferralCompleted: _nothing_to_check,
    ReferralVoided: _nothing_to_check,
    MemberEnrolled: _check_enrolled,
    MemberUpdated: _nothing_to_check,
    MemberClaimed: _check_claimed,
    MemberClosed: _nothing_to_check,
    RedemptionRequested: _check_redemption,
    RedemptionCancelled: _nothing_to_check,
    PointsAdjust: _check_adjust,
    PointsReinstate: _check_reinstate,
    BalanceImport: _expiry_in_utc,
    ImportRevert: _nothing_to_check,
    TierAssigned: _check_tier,
    ReferralUnblock: _nothing_to_check,
}
"""Class of data → its check. Each raises PermanentError."""
