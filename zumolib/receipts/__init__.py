"""Receipts of control actions: who did what, when, why, and what came of it."""
