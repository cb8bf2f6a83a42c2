"""Tasks for the browser tests: workers load them by ``--include tests.browser.tasks``."""

from __future__ import annotations

import time
from pathlib import Path

from celery import shared_task

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\x1b[31mred\x1b]0;title\x07'


@shared_task(name="tests.endless")
def endless(label: str = "") -> None:
    """Run until somebody ends it; the label tells it from others."""
    while True:
        time.sleep(0.1)


@shared_task(name="tests.sum")
def add(first: int, second: int, *, label: str = "sum") -> dict[str, int]:
    """Add two numbers."""
    return {label: first + second}


@shared_task(name="tests.needs_file")
def needs_file(path: str, number: int) -> int:
    """Fail as long as a file is missing; returns the number."""
    if not Path(path).exists():
        raise FileNotFoundError(path)
    return number


@shared_task(name="tests.hostile")
def hostile(text: str, *, fail: bool = False) -> str:
    """Answer with, or fail with, a megabyte of what a browser would act on."""
    answer = (text + HOSTILE) * 10_000
    if fail:
        raise ValueError(answer[:2_000])
    return answer
