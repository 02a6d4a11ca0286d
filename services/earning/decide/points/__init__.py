"""Points: lots, their life, reversals and tiers: what becomes of points, whatever earned them."""
