"""Template filters of kerp's pages."""
