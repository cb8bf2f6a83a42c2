"""A task that came with the newest code."""

from __future__ import annotations

from celery import shared_task


@shared_task(name="tests.late")
def late() -> str:
    """Answer."""
    return "late"
