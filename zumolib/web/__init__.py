"""The web pages: Django's admin over the schedule, health, and metrics."""
