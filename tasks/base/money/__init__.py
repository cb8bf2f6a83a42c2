"""Tenants' money: what they owe, what they pay, and how it is booked."""
