"""`tallystick try`: what a program makes of a list of facts; the pure core alone, no servers."""


def try_program() -> None:
    """Try."""
