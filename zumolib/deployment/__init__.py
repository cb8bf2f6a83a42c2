"""The Celery system that is looked at and acted on."""
