"""What is no event at all: kept as text, for a person to look at."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

from zumolib.errors import HistoryError

# A day's worth of a flood helps nobody.
BYTES = 10_000_000
TEXT = 10_000  # characters

FOLDER = "aside"


def append(root: Path, raw: object, *, reason: str, at: datetime) -> bool:
    """Keep it as one JSON line of that day's file; False when the file is full.

    Raises
    ------
    HistoryError
        The folder cannot be written.
    """
    text = (
        raw.decode("utf-8", "replace")
        if isinstance(raw, bytes)
        else raw
        if isinstance(raw, str)
        else repr(raw)
    )
    line = json.dumps({"at": at.isoformat(), "reason": reason[:500], "raw": text[:TEXT]})
    path = root / FOLDER / f"{at.astimezone(UTC).date()}.jsonl"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="ascii") as sink:
            if sink.tell() > BYTES:
                return False
            sink.write(line + "\n")
    except OSError as error:
        raise HistoryError(
            f"{path} cannot be written ({error.strerror}); free space or make it writable"
        ) from error
    return True


def retain(root: Path, first: date) -> None:
    """Delete the files of days before `first`."""
    for path in (root / FOLDER).glob("*.jsonl"):
        if path.stem < str(first):
            path.unlink(missing_ok=True)
