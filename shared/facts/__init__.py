"""Facts: what commerce platforms and operators publish, each stated once."""
