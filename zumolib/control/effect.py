"""The effect of an action, which comes a moment after it."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL = 0.1  # seconds between looks


def appears(look: Callable[[], bool], seconds: float) -> bool:
    """Whether an effect shows within some seconds; it is looked for again and again."""
    end = time.monotonic() + seconds
    while not look():
        if time.monotonic() > end:
            return False
        time.sleep(POLL)
    return True
