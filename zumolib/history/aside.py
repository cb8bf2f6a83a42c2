"""What is no event at all: kept as text, for a person to look at."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TextIO

from zumolib.errors import HistoryError

# A day's worth of a flood helps nobody.
BYTES = 10_000_000
TEXT = 10_000  # characters

FOLDER = "aside"


def append(root: Path, refused: Iterable[tuple[object, str]], *, at: datetime) -> int:
    """Keep each as one JSON line of that day's file.

    Parameters
    ----------
    refused
        What was no event, and why; a file is opened once for all of them.

    Returns
    -------
    int
        How many were kept; the file may be full.

    Raises
    ------
    HistoryError
        The folder cannot be written.
    """
    lines = [_line(raw, reason, at) for raw, reason in refused]
    path = root / FOLDER / f"{at.astimezone(UTC).date()}.jsonl"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path) as sink:
            room = BYTES - sink.tell()
            kept = 0
            while kept < len(lines) and room >= 0:
                room -= len(lines[kept])
                kept += 1
            sink.write("".join(lines[:kept]))
    except OSError as error:
        raise HistoryError(
            f"{path} cannot be written ({error.strerror}); free space or make it writable"
        ) from error
    return kept


def _line(raw: object, reason: str, at: datetime) -> str:
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    return json.dumps({"at": at.isoformat(), "reason": reason[:500], "raw": text[:TEXT]}) + "\n"


def files(root: Path) -> list[Path]:
    """One a day, the oldest first."""
    return sorted((root / FOLDER).glob("*.jsonl"))


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    """Put another line in the place of each, all at once; a line that is not whole is dropped.

    Raises
    ------
    HistoryError
        The folder cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with _locked(path), path.open(encoding="ascii", errors="replace") as source:
            with part.open("w", encoding="ascii") as sink:
                for line in source:
                    with contextlib.suppress(ValueError, KeyError, TypeError):  # cut by a crash
                        sink.write(change(line.rstrip("\n")) + "\n")
                sink.flush()
                os.fsync(sink.fileno())
            part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise HistoryError(
            f"{path} cannot be written ({error.strerror}); free space or make it writable"
        ) from error


@contextmanager
def _locked(path: Path) -> Iterator[TextIO]:
    """The file, open for more lines, while nobody else writes or replaces it."""
    while True:
        with path.open("a", encoding="ascii") as sink:
            fcntl.flock(sink, fcntl.LOCK_EX)
            if not path.exists() or os.fstat(sink.fileno()).st_ino != path.stat().st_ino:
                continue  # it was replaced while we waited
            yield sink
            return


def retain(root: Path, first: date) -> None:
    """Delete the files of days before `first`."""
    for path in (root / FOLDER).glob("*.jsonl"):
        if path.stem < str(first):
            path.unlink(missing_ok=True)
