"""Run a function in a process of its own, and tell how long it took and how much memory it needed."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

KIB = 1 if sys.platform == "linux" else 1024  # in which ru_maxrss counts


@dataclass(frozen=True)
class Run:
    """What a run took and gave."""

    seconds: float  # by the clock
    cpu: float  # seconds that a processor worked for it, its database (SQLite) and its own children included
    mib: float  # by which its memory grew at most
    result: Any  # plain JSON
    error: str = ""


def run(work: Callable[[], Any]) -> Run:
    """Do `work` in a fork of this process, which keeps nothing of it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as answer:
            json.dump(_measured(work), answer, default=str)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return Run(**json.loads(text)) if text else Run(0.0, 0.0, 0.0, None, "the process was killed")


def _measured(work: Callable[[], Any]) -> dict[str, Any]:
    before, began, worked, result, error = _peak(), time.perf_counter(), _cpu(), None, ""
    try:
        result = work()
    except Exception:  # noqa: BLE001 - whatever it is, it is shown in the table
        error = traceback.format_exc().strip()
    return {
        "seconds": time.perf_counter() - began,
        "cpu": _cpu() - worked,
        "mib": (_peak() - before) / 1024,
        "result": result,
        "error": error,
    }


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB
