"""Facts: what commerce platforms and operators publish, each stated once, as a class with its type, topic and checks.

Whoever imports this package knows all facts; the reference has them in the order of these families.
"""

from shared.facts import orders, reviews, activities, referrals, members, redemptions, adjustments, imports  # isort: skip

__all__ = ["activities", "adjustments", "imports", "members", "orders", "redemptions", "referrals", "reviews"]
