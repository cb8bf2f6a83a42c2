"""Who comes in, who should not, and what is kept about it."""
