"""The one writing door: keyword-only functions, each atomic, each with its actor and one timestamp, each audited."""
