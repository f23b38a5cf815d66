"""Designs, replication, operating characteristics."""
