"""The report of one course: what was given, felt, done and decided, on one time line, with every number's source."""
