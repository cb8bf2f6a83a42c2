"""Leases: who may do what only one process may do, and until when."""
