"""The vectorised executor: whole populations through a schedule, without a log. The event-driven one is beside it."""
