"""The codec in."""
