"""A soak: a real Home Assistant on a simulated portal that fails at random."""
