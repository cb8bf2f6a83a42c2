"""Campaigns, leads and the way from a visit to a subscription."""
