"""Minimal loops: the same input, output and durability as the services, and as little else as possible.

They have one trivial rule, check nothing, and know one schema: what remains is what the parts themselves cost. A ratio
to them says how much the product's promises cost on the machine at hand.
"""
