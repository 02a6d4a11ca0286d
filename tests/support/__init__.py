"""Support: what tests are made with: the second model, the simulated world, mutants."""
