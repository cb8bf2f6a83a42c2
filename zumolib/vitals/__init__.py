"""Does everything do its work? A few questions with one threshold each, asked at once and with a time limit.

``zumo status`` and ``/health/`` read the same answers. Nothing here loads Celery, so asking is quick.
"""
