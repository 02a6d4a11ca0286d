"""Attacks: what others write, publish, connect and configure, on a running installation, judged as an operator can."""
