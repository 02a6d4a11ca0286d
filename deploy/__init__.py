"""Running it: the local stack, containers, migrations, programs, and the demo."""
