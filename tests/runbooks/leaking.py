"""A task that keeps memory, and what tells that its processes are gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from tests.waiting import wait_until

pids: list[int] = []


TURNS = 6  # runs of one task before the other's: who runs together cannot be told apart


def leak(d: Any) -> None:
    """Processes that hold what earlier runs left."""
    stats = d.inspect().stats()[d.node]
    pids[:], before = stats["pool"]["processes"], stats["total"].get("tests.leaky", 0)
    app = d.app
    for _ in range(16):
        app.send_task("tests.leaky", (40,))
    wait_until(
        lambda: d.inspect().stats()[d.node]["total"].get("tests.leaky", 0) >= before + 16, 30, "the leak"
    )


@contextmanager
def goes_on_leaking(d: Any) -> Iterator[None]:
    """The task runs on, in turns with another one, until its processes begin to be replaced."""
    over = Event()
    app = d.app

    def send() -> None:
        turn = 0
        while not over.wait(0.5):
            name, megabytes = ("tests.clean", 20) if turn // TURNS % 2 else ("tests.leaky", 12)
            app.send_task(name, (megabytes,))
            turn += 1

    def look() -> None:
        while not over.wait(0.2):
            if pool(d) != set(pids):
                over.set()

    threads = [Thread(target=send), Thread(target=look)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def pool(d: Any) -> set[int]:
    told = wait_until(d.inspect().stats, 30, "the worker's statistics")
    return set(told[d.node]["pool"]["processes"])


def processes_are_new(d: Any) -> bool:
    return not pool(d) & set(pids)
