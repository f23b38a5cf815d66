"""Tidy, typed tables of logs, with a data dictionary: the only input of analysis."""
