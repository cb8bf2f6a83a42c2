"""Companies on the platform, from their trial to their limits."""
