"""The demo, checked from outside."""
