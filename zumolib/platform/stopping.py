"""A request to end, by SIGTERM or SIGINT, that is always heeded: at the next pause, or else by force.

Celery's beat writes its schedule and closes its connections in the signal's handler. That runs between any
two instructions of the same thread, also while that holds a lock which closing needs, and then waits for ever.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from typing import Any

PATIENCE = 1.5  # seconds after which what goes on is broken off
AGAIN = 1.0  # seconds between further tries


class Stop:
    """Ends the main thread's work by ``SystemExit``."""

    def __init__(self) -> None:
        self.asked = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def listen(self) -> None:
        """Take the signals over from now on; elsewhere than in the main thread nothing is done."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)
        signal.signal(signal.SIGALRM, self._break_off)

    def pause(self, seconds: float) -> None:
        """Sleep, but no longer than until the request comes.

        Raises
        ------
        SystemExit
            When it has come.
        """
        if not self.asked:
            select.select([self._read], [], [], max(seconds, 0.0))
        if self.asked:
            raise SystemExit

    def over(self) -> None:
        """All is put away: nothing need be broken off any more."""
        if self.asked:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _ask(self, *_: Any) -> None:
        self.asked = True
        os.write(self._write, b".")
        # A broker that does not answer, or a locked database, would keep the loop from ever coming by.
        signal.setitimer(signal.ITIMER_REAL, PATIENCE, AGAIN)

    def _break_off(self, *_: Any) -> None:
        raise SystemExit
