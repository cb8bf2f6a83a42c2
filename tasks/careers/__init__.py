"""The public careers site."""
