"""Tasks for workers that include this module: one leaks, one does not, one holds its process."""

from __future__ import annotations

import time

from celery import shared_task

_kept: list[bytes] = []


@shared_task(name="tests.leaky", ignore_result=True)
def leaky(megabytes: int) -> None:
    """Keep memory for as long as the process lives."""
    _kept.append(bytes(b"x" * (megabytes * 2**20)))


@shared_task(name="tests.clean", ignore_result=True)
def clean(megabytes: int) -> int:
    """Use memory and give it back."""
    return len(bytes(b"x" * (megabytes * 2**20)))


@shared_task(name="tests.holding", ignore_result=True)
def holding() -> None:
    """Hold the process until it is ended."""
    while True:
        time.sleep(1)
