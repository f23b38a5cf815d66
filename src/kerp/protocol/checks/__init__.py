"""What a clinician would object to in a protocol: one small function per objection."""
