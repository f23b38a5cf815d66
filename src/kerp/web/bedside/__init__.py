"""The bedside page: its interface for devices, the page itself, the paper that stands in for it."""
