"""Identifiability, Bayesian fits, recovery."""
