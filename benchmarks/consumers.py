"""Consumers of events, each run as a process of its own: ``python -m benchmarks.consumers KIND URL COUNTER``.

They tell how many events they have done with in eight bytes of a shared file.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
import threading
from pathlib import Path
from typing import Any

from tests.integration import tiny

KINDS = ("zumo", "flower", "state", "kombu")
NAMES = {
    "zumo": "our recorder, on disk",
    "flower": "Flower 2.2, all tasks kept",
    "state": "Celery's State, all tasks kept",
    "kombu": "kombu consumer that only decodes",
}


class Counter:
    """A number that another process reads while this one counts."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        if new:
            path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), 8)

    def set(self, value: int) -> None:
        """Tell."""
        self._bytes[:] = struct.pack("<q", value)

    def get(self) -> int:
        """Read."""
        return int(struct.unpack("<q", self._bytes)[0])


def zumo(app: Any, counter: Counter, folder: Path) -> None:
    """The recorder as it is, with its threads for samples and files."""
    from zumolib.history import History
    from zumolib.recorder.daemon import Recorder

    class Counting(History):
        """Counts what is on disk."""

        def append_events(self, rows: Any, **options: Any) -> None:
            super().append_events(rows, **options)
            counter.set(counter.get() + len(rows))

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    Recorder(app, Counting(folder)).run(stop)


def flower(app: Any, counter: Counter, folder: Path) -> None:
    """Flower's own command, told to forget no task."""
    from flower.events import EventsState

    class Counting(EventsState):
        """Counts what Flower has taken in."""

        def event(self, event: Any) -> None:
            super().event(event)
            counter.set(counter.get() + 1)

    sys.modules["flower.events"].EventsState = Counting  # type: ignore[attr-defined]
    os.chdir(folder)
    app.start(["flower", "--address=127.0.0.1", "--port=0", "--max_tasks=100000000", "--max_workers=10000"])


def state(app: Any, counter: Counter, folder: Path) -> None:
    """Celery's receiver and its in-memory state."""
    memory = app.events.State(max_tasks_in_memory=10**9)

    def note(event: dict[str, Any]) -> None:
        memory.event(event)
        counter.set(counter.get() + 1)

    with app.connection_for_read() as connection:
        app.events.Receiver(connection, handlers={"*": note}).capture(limit=None, timeout=None)


def kombu(app: Any, counter: Counter, folder: Path) -> None:
    """The least that anybody can do who uses kombu: decode."""
    from celery.events.receiver import EventReceiver
    from kombu import Consumer

    def note(body: Any, message: Any) -> None:
        counter.set(counter.get() + (len(body) if isinstance(body, list) else 1))

    with app.connection_for_read() as connection:
        queue = EventReceiver(connection, app=app).queue
        with Consumer(connection, [queue], callbacks=[note], no_ack=True):
            while True:
                connection.drain_events()


if __name__ == "__main__":
    kind, url, path, ttl = sys.argv[1:]
    made = tiny.make(url)
    made.conf.event_queue_ttl = float(ttl)
    {"zumo": zumo, "flower": flower, "state": state, "kombu": kombu}[kind](
        made, Counter(Path(path)), Path(path).parent / "data"
    )
