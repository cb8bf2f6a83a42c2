"""Tasks told in a line each, written as the events that make them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from zumolib.history import History, events

ENDS = {"SUCCESS": "task-succeeded", "FAILURE": "task-failed", "REVOKED": "task-revoked"}


@dataclass(frozen=True)
class Told:
    """One task: when it was sent, and how many seconds later the rest of it happened (None: never)."""

    sent: datetime | None
    received: float | None = None
    started: float | None = None
    finished: float | None = None
    name: str = "a.task"
    queue: str | None = "hr"
    worker: str = "w@one"
    state: str = "SUCCESS"
    entry: str | None = None
    retries: int = 0
    eta: float | None = None
    exception: str | None = None
    since: datetime | None = None  # what the seconds count from, where nobody told of the sending

    def events(self, task_id: str) -> list[dict[str, Any]]:
        begin = self.sent or self.since
        assert begin is not None
        base = {"uuid": task_id, "pid": 1}
        described = {
            **base, "name": self.name, "args": "()", "kwargs": "{}", "retries": self.retries, "root_id": task_id,
            "eta": None if self.eta is None else (begin + timedelta(seconds=self.eta)).isoformat(),
        }  # fmt: skip
        found = []
        if self.sent:
            found.append({**described, "type": "task-sent", "hostname": "beat@one", "timestamp": 0.0})
            found[0] |= {"queue": self.queue, "entry": self.entry}
        on_worker = {"hostname": self.worker}
        if self.received is not None:
            found.append({**described, **on_worker, "type": "task-received", "timestamp": self.received})
        if self.started is not None:
            found.append({**base, **on_worker, "type": "task-started", "timestamp": self.started})
        if self.finished is not None:
            end = {**base, **on_worker, "type": ENDS[self.state], "timestamp": self.finished}
            found.append({**end, "exception": self.exception, "traceback": "Traceback: …"})
        return [{**event, "timestamp": begin.timestamp() + event["timestamp"]} for event in found]


def write(folder: Path, tasks: list[Told]) -> History:
    """A history of these tasks, with ids t0, t1, …"""
    history = History(folder)
    rows = [
        events.row(event, event["timestamp"] + 0.01)
        for number, task in enumerate(tasks)
        for event in task.events(f"t{number}")
    ]
    history.append_events(rows, source="stream")
    return history
