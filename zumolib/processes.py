"""Processes of this machine.

One that has ended is listed until whoever started it asks how, and in a container often nobody does.
"""

from __future__ import annotations

import time

import psutil

POLL = 0.05  # seconds between looks


def runs(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def ends(pid: int, seconds: float) -> bool:
    """Whether a process ends within some seconds."""
    until = time.monotonic() + seconds
    while runs(pid):
        if time.monotonic() > until:
            return False
        time.sleep(POLL)
    return True
