"""The marketplace."""
