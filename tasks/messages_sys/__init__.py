"""Messages between users."""
