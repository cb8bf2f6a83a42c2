"""Real services for tests, each started on a free port and stopped with its data."""
