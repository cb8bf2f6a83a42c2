"""Tasks from their sending to their end, and what a history on disk has of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from zumolib.history import History, events

START = datetime(2026, 11, 16, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LATER = datetime.now(UTC) + timedelta(hours=1)  # files are younger than this by more than the grace


def sent(number: int, at: datetime = START) -> dict[str, object]:
    second = at.timestamp() + number
    event = {"type": "task-sent", "uuid": f"t{number}", "name": "a.b", "queue": "hr", "timestamp": second}
    return events.row(event, second)


def life(number: int, at: datetime = START) -> list[dict[str, object]]:
    """A task from its sending to its end."""
    begin = at.timestamp() + number
    told = {"uuid": f"t{number}", "name": "a.b", "hostname": "w@one"}
    return [
        events.row({**told, "type": f"task-{kind}", "timestamp": begin + n, **more}, begin + n)
        for n, (kind, more) in enumerate(
            [("sent", {"queue": "hr"}), ("received", {"args": "(1,)"}), ("started", {}), ("succeeded", {})]
        )
    ]


def ids(found: History, start: datetime = START - DAY, end: datetime = START + DAY) -> list[str]:
    return list(found.tasks(start, end)["task_id"])


def files(root: Path) -> list[Path]:
    return sorted([*root.glob("events/*.parquet"), *root.glob("tasks/day=*/*.parquet")])
