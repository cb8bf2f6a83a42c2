"""What the platform tells its users."""
