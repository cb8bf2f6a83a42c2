"""When messages came."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """The wall clock, which does not go back.

    Where a machine's clock is set back by a day or more, every event would be one of the future, which is
    refused: what came later is never told to have come earlier.

    Parameters
    ----------
    tell
        Seconds since 1970, by the machine.
    """

    def __init__(self, tell: Callable[[], float] = time.time) -> None:
        self._tell = tell
        self._latest = 0.0
        self.behind = 0.0  # seconds by which the machine's clock is behind what it once told

    def now(self) -> float:
        """Seconds since 1970."""
        told = self._tell()
        self._latest = max(self._latest, told)
        self.behind = self._latest - told
        return self._latest
