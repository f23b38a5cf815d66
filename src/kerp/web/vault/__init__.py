"""The allocation store: a database of its own, with its own credentials and key (DESIGN decision 13)."""
