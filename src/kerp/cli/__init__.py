"""Argument parsing. Every command imports its room only when it runs."""
