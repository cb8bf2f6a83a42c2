"""Newsletters to their subscribers."""
