"""Value: what an order is worth under a program."""
