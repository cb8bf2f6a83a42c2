"""What may come between: a worker that dies, a message that is worked on in several places at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any


def killed(*_: Any, **__: Any) -> Any:
    """Put in place of a step: the worker dies before it."""
    raise KeyboardInterrupt


def at_once(work: Callable[[], Any], times: int = 4) -> list[Any]:
    """The results of the same call in threads that start together."""
    from django.db import connection

    ready = Barrier(times)

    def one(_: int) -> Any:
        ready.wait(10)
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))
