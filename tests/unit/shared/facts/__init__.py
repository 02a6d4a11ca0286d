"""Unit tests of the facts that publishers see."""
