"""Defects of what facts are worth: `earning/decide`."""

from tests.chaos.defects.planting import Change, Defect

DECIDE = "services.earning.decide"
TESTS = "tests/unit/earning/decide"
ON_KAFKA = "tests/integration/earning/intake/test_earn.py"

DEFECTS = (
    Defect(
        "alias-refusal-kept-in-the-inbox",
        "a fact told under a claimed id that can't be decided is recorded with its reason",
        (TESTS,),
        Change(
            f"{DECIDE}.deciding:decide_message",
            """
            if isinstance(fact.data, MessageData):
                raise
            return refuse(...)
            """,
            "raise error",
        ),
    ),
    Defect(
        "changes-not-deduplicated",
        "the same fact twice is a duplicate (I2)",
        (TESTS, ON_KAFKA),
        Change(f"{DECIDE}.value.order_state:merged", "if change in book.changes: ...", ""),
    ),
    Defect(
        "claim-written-unread",
        "a row that is changed was read before (I3)",
        (f"{TESTS}/facts/test_reviews.py",),
        Change(
            f"{DECIDE}.facts.reviews:_claim",
            """
            others = tuple(...)
            draft.put(_product_key(case, book.claimed), ClaimState(others))
            """,
            "draft.put(_product_key(case, book.claimed), ClaimState(()))",
        ),
    ),
    Defect(
        "deficit-never-paid",
        "a deficit above zero means available is zero (I13)",
        (TESTS,),
        Change(f"{DECIDE}.points.lots:fill_available", "paid = ...", "paid = 0"),
    ),
    Defect(
        "deficit-not-booked",
        "the books balance after every event (I1)",
        (TESTS,),
        Change(f"{DECIDE}.points.reversal:_Taking.result", "-self.rest", "0"),
    ),
    Defect(
        "expired-points-lost-twice",
        "nobody loses the same point twice",
        (TESTS,),
        Change(f"{DECIDE}.points.reversal:_Taking.take_expired", "self._draft.own_lot(...).expired -= part", ""),
    ),
    Defect(
        "floor-twice",
        "a rule's sum is rounded once",
        (TESTS,),
        Change(
            f"{DECIDE}.value.award:_Reckoning.rate",
            "total = ...",
            """
            total = ...
            total = total // 1_000_000 * 1_000_000
            """,
        ),
    ),
    Defect(
        "future-facts-accepted",
        "a fact of the future is a dead letter",
        (TESTS,),
        Change(f"{DECIDE}.deciding:_refuse", "FUTURE_MAX", "10_000 * FUTURE_MAX"),
    ),
    Defect(
        "newest-arrival-wins",
        "an order's state has a total order: arrival doesn't matter",
        (TESTS,),
        Change(
            f"{DECIDE}.value.order_state:_keep",
            "(refund.time, refund.content_hash) > (known.time, known.content_hash)",
            "refund.time",
        ),
    ),
    Defect(
        "orders-of-others-accepted",
        "a key belongs to one member (I2)",
        (f"{TESTS}/facts/test_orders.py", ON_KAFKA),
        Change(
            f"{DECIDE}.deciding:decide",
            "row is not None and row.member != fact.member",
            "row is not None and row.member != fact.member and not row.lots",
        ),
    ),
    Defect(
        "redemption-conflict-ignored",
        "a redemption's outcome is final for its id (I2)",
        (TESTS,),
        Change(f"{DECIDE}.facts.redemptions:prepare_redemption", "raise _conflict(...)", "return None"),
    ),
    Defect(
        "refund-spread-below-zero",
        "over-refunds take no more",
        (TESTS,),
        Change(f"{DECIDE}.value.refunds:_Taking.left", "min(1, share)", "share"),
    ),
    Defect(
        "refund-takes-oldest-lots-first",
        "a reversal takes the award's newest lots first",
        (TESTS,),
        Change(f"{DECIDE}.points.reversal:take_back", "-lot.lot", "lot.lot"),
    ),
    Defect(
        "refund-under-the-new-program",
        "awards keep their version for life",
        (TESTS,),
        Change(
            f"{DECIDE}.facts.orders:_pin",
            "program = program_of(...)",
            "program = draft.versions.all[-1]",
        ),
    ),
    Defect(
        "refunds-not-deduplicated",
        "a refund counts once (I2)",
        (TESTS,),
        Change(f"{DECIDE}.value.order_state:merged", "if seen in book.refund_facts: ...", ""),
    ),
    Defect(
        "restored-points-expire-at-once",
        "points that come back can be spent",
        (TESTS,),
        Change(
            f"{DECIDE}.facts.redemptions:_Return._date",
            "end_of_day(...) if again > last else take.expires_at",
            "take.expires_at",
        ),
    ),
    Defect(
        "spent-below-zero",
        "available is never below zero (I6)",
        (TESTS,),
        Change(
            f"{DECIDE}.facts.redemptions:_refused",
            "standing.balances.available < points",
            "standing.balances.available < points - 1",
        ),
    ),
)
