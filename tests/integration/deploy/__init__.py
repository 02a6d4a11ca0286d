"""The local stack, started, killed and refused for real."""
