"""Earning: commerce facts in, point events out."""
