"""A second model of the domain, slow and obvious, made from the rules alone; the core is compared with it."""
