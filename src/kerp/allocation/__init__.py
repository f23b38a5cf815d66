"""Randomisation lists: generation, release, verification. Pure; the store lives elsewhere."""
