"""Reason codes: why an input became a dead letter, was rejected, or earned nothing. The docs' table comes from here."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """A stable code; `MEANINGS` has its explanation and cure for people."""

    # The record itself can't be read.
    NULL_VALUE = "null_value"
    NULL_KEY = "null_key"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    INVALID_TEXT = "invalid_text"
    INVALID_HEADERS = "invalid_headers"
    NOT_CLOUDEVENTS = "not_cloudevents"
    UNKNOWN_TYPE = "unknown_type"
    FOREIGN_RECORD = "foreign_record"
    # The fact doesn't say what its contract asks for.
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    INVALID_FACT = "invalid_fact"
    INVALID_TIME = "invalid_time"
    MONEY_NOT_TEXT = "money_not_text"
    INVALID_MONEY = "invalid_money"
    EXCESS_PRECISION = "excess_precision"
    UNKNOWN_CURRENCY = "unknown_currency"
    TOO_MANY_LINES = "too_many_lines"
    DUPLICATE_LINE = "duplicate_line"
    OCCURRED_IN_FUTURE = "occurred_in_future"
    # The fact can't be decided.
    UNKNOWN_PROGRAM = "unknown_program"
    NO_EXCHANGE_RATE = "no_exchange_rate"
    OWNED_BY_ANOTHER_MEMBER = "owned_by_another_member"
    CONFLICT = "conflict"
    EXPIRES_IN_PAST = "expires_in_past"
    UNKNOWN_AWARD = "unknown_award"
    UNKNOWN_TIER = "unknown_tier"
    INTERNAL_ERROR = "internal_error"
    # A redemption is rejected.
    INSUFFICIENT_POINTS = "insufficient_points"
    UNKNOWN_REWARD = "unknown_reward"
    TIER_REQUIRED = "tier_required"
    INVALID_POINTS = "invalid_points"
    CANCELLED = "cancelled"
    MEMBER_CLOSED = "member_closed"
    # Nothing earned: said by `fact.recorded`.
    TEST_ORDER = "test_order"
    BELOW_MINIMUM = "below_minimum"
    NOTHING_ELIGIBLE = "nothing_eligible"
    NOT_IN_FORCE = "not_in_force"
    NOTHING_CHANGED = "nothing_changed"
    WAITS_FOR_ORDER = "waits_for_order"
    WAITS_FOR_PAYMENT = "waits_for_payment"
    WAITS_FOR_FULFILMENT = "waits_for_fulfilment"
    WAITS_FOR_REQUEST = "waits_for_request"
    CAP_REACHED = "cap_reached"
    REVERTED = "reverted"
    TIER_ASSIGNED = "tier_assigned"
    NOT_VERIFIED = "not_verified"
    TOO_SHORT = "too_short"
    PRODUCT_REVIEWED = "product_reviewed"
    UNKNOWN_ACTIVITY = "unknown_activity"
    LIMIT_REACHED = "limit_reached"
    REFERRAL_CLICKED = "referral_clicked"
    REFERRAL_JOINED = "referral_joined"
    WAITS_FOR_REFERRAL = "waits_for_referral"
    WAITS_FOR_REFERRER = "waits_for_referrer"
    CLAIM_ASKED = "claim_asked"
    CLAIM_REFUSED = "claim_refused"
    MEMBER_CLAIMED = "member_claimed"
    # A referral is blocked.
    SELF_REFERRAL = "self_referral"
    NOT_A_NEW_CUSTOMER = "not_a_new_customer"
    SAME_IP = "same_ip"
    SAME_DEVICE = "same_device"
    SAME_PAYMENT = "same_payment"
    REFERRER_CAP = "referrer_cap"


MEANINGS: dict[Reason, tuple[str, str]] = {
    Reason.NULL_VALUE: ("The record has no value.", "Publish the fact again with its body."),
    Reason.NULL_KEY: ("The record has no key.", "Publish with the key `program/member`."),
    Reason.TOO_LARGE: ("The record is larger than 1 MiB.", "Split the order, or leave out fields we don't read."),
    Reason.NOT_JSON: ("The value is not JSON.", "Check the publisher's serializer."),
    Reason.TOO_DEEP: ("The JSON is nested deeper than 20 levels.", "Send the documented shape only."),
    Reason.INVALID_TEXT: ("The text holds NUL, a lone surrogate or bytes that are not UTF-8.", "Send clean UTF-8."),
    Reason.INVALID_HEADERS: ("A CloudEvents header is null or not UTF-8.", "Check the publisher's headers."),
    Reason.NOT_CLOUDEVENTS: (
        "The record is not a CloudEvent 1.0, in structured or binary mode.",
        "See docs/reference/facts.md.",
    ),
    Reason.UNKNOWN_TYPE: ("No contract has this event type.", "See docs/reference/facts.md for the types we take."),
    Reason.FOREIGN_RECORD: ("A record on the points topic that earning did not write.", "Find out who writes there."),
    Reason.MISSING_FIELD: ("A required field is missing.", "Add the field named."),
    Reason.WRONG_TYPE: ("A field has another JSON type than its contract says.", "Correct the field named."),
    Reason.OUT_OF_RANGE: ("A field is outside its limits.", "Correct the field named."),
    Reason.INVALID_FACT: ("The fact contradicts itself.", "Correct the field named."),
    Reason.INVALID_TIME: ("A time is not RFC 3339 with an offset.", "Write times like 2026-01-31T15:00:00+01:00."),
    Reason.MONEY_NOT_TEXT: ("An amount of money is a JSON number.", 'Send money as decimal text: "19.99".'),
    Reason.INVALID_MONEY: ("An amount is not a plain, non-negative decimal.", 'Send money like "19.99".'),
    Reason.EXCESS_PRECISION: (
        "An amount has more than 6 decimal places.",
        "Round at the shop, where the price is made.",
    ),
    Reason.UNKNOWN_CURRENCY: ("The currency is not an ISO 4217 code.", "Send the three-letter code."),
    Reason.TOO_MANY_LINES: ("An order has more than 1,000 lines.", "Split the order."),
    Reason.DUPLICATE_LINE: ("Two lines share a line_id.", "Give every line its own line_id."),
    Reason.OCCURRED_IN_FUTURE: (
        "The fact's time is over 5 minutes after its record's.",
        "Check the publisher's clock and time zone.",
    ),
    Reason.UNKNOWN_PROGRAM: (
        "No program of this name has been published.",
        "Run `tallystick program publish`, then retry.",
    ),
    Reason.NO_EXCHANGE_RATE: (
        "The order is in another currency and carries no exchange_rate.",
        "Send exchange_rate with the order.",
    ),
    Reason.OWNED_BY_ANOTHER_MEMBER: (
        "This id belongs to another member.",
        "Check the subject, or the id, at the shop.",
    ),
    Reason.CONFLICT: ("This id is known with other content that may not change.", "Use a new id for new content."),
    Reason.EXPIRES_IN_PAST: ("The expires_at given is over already.", "Send an instant in the future, or none."),
    Reason.UNKNOWN_AWARD: ("No such award of the member has expired points.", "Check the award's id and the points."),
    Reason.UNKNOWN_TIER: ("The program has no tier of this name.", "Check the tier's id in the program document."),
    Reason.INTERNAL_ERROR: (
        "Deciding this fact failed: a fault of ours.",
        "Report it with the dead letter; retry after the fix.",
    ),
    Reason.INSUFFICIENT_POINTS: ("The member has fewer points than the redemption asks for.", ""),
    Reason.UNKNOWN_REWARD: ("The program's catalogue has no such reward.", "Check the reward's id in the document."),
    Reason.TIER_REQUIRED: ("The reward is for members of other tiers.", ""),
    Reason.INVALID_POINTS: ("A redemption asks for 0 points or less.", "Ask for 1 point or more."),
    Reason.CANCELLED: ("The redemption was cancelled before it was requested.", ""),
    Reason.MEMBER_CLOSED: ("The membership is closed.", "Enrol the member again."),
    Reason.TEST_ORDER: ("Test orders earn nothing.", ""),
    Reason.BELOW_MINIMUM: ("The order is below the minimum of every rule.", ""),
    Reason.NOTHING_ELIGIBLE: ("No rule of the program gives points for it.", ""),
    Reason.NOT_IN_FORCE: ("No version of the program was in force at that time.", ""),
    Reason.NOTHING_CHANGED: ("The fact is noted; what it is about is worth as much as before.", ""),
    Reason.WAITS_FOR_ORDER: ("Noted until its order arrives.", ""),
    Reason.WAITS_FOR_REQUEST: ("Noted until its redemption is requested.", ""),
    Reason.CAP_REACHED: ("The program's limit for orders is reached.", ""),
    Reason.TIER_ASSIGNED: ("A person gave the member a tier.", ""),
    Reason.NOT_VERIFIED: ("The program rewards reviews of verified purchases only.", ""),
    Reason.TOO_SHORT: ("The review is shorter than the program asks for.", ""),
    Reason.PRODUCT_REVIEWED: ("Another review of the product by this member counts already.", ""),
    Reason.UNKNOWN_ACTIVITY: (
        "The program has no activity of this kind.",
        "Check the kind, or add it to the document under `activities:`.",
    ),
    Reason.LIMIT_REACHED: ("The program rewards no more of these in that time.", ""),
    Reason.REFERRAL_CLICKED: ("A referrer's link was followed.", ""),
    Reason.REFERRAL_JOINED: ("Somebody who was referred signed up.", ""),
    Reason.WAITS_FOR_REFERRAL: ("Noted until the referral is completed.", ""),
    Reason.WAITS_FOR_REFERRER: ("The referral qualifies; whether its referrer has room for it is being asked.", ""),
    Reason.CLAIM_ASKED: ("The other id is asked to hand over all it has.", ""),
    Reason.CLAIM_REFUSED: (
        "The id belongs to another member already, or is just claiming others itself.",
        "Check who claims whom; send the claim again with another time where it was only busy.",
    ),
    Reason.MEMBER_CLAIMED: ("The id belongs to another member, who claimed it: it counts for them.", ""),
    Reason.SELF_REFERRAL: ("Referrer and referee are the same member.", "Unblock it if that is as it should be."),
    Reason.NOT_A_NEW_CUSTOMER: (
        "The referee had ordered before, or was a customer in another system.",
        "Unblock it if they are new after all.",
    ),
    Reason.SAME_IP: ("Both sides used one address of the internet.", "Unblock it if they are two people."),
    Reason.SAME_DEVICE: ("Both sides used one device.", "Unblock it if they are two people."),
    Reason.SAME_PAYMENT: ("Both sides used one means of payment.", "Unblock it if they are two people."),
    Reason.REFERRER_CAP: ("The referrer has as many rewarded referrals as the program allows.", "Unblock it, or wait."),
    Reason.REVERTED: ("The import it belongs to was reverted before.", ""),
    Reason.WAITS_FOR_PAYMENT: ("The order is known and not paid yet.", ""),
    Reason.WAITS_FOR_FULFILMENT: ("The program awards orders once they are fulfilled.", ""),
}
