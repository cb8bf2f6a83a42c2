"""The recorder: events from the broker to the history."""
