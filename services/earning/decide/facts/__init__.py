"""Facts: what each kind of fact means for its member."""
