"""What recorders say of themselves, in one small file each, for ``zumo status`` and ``/metrics``."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

logger = logging.getLogger(__name__)

# A recorder writes its file about once a second; one that has not for this long is stuck or gone.
SILENT_SECONDS = 30.0

# The file is this long, so that it can be written over in place: that works on a disk that is full.
FILE_BYTES = 4_096
REASON_LIMIT = 1_000
COMPLAINT_SECONDS = 60.0


@dataclass
class State:
    """What a recorder says of itself, in ``recorder-<name>.json``."""

    name: str
    pid: int
    state: str = (
        "starting"  # starting, recording, broker down, failing, cannot write, stopped; silent for a reader
    )
    reason: str = ""  # of a trouble, with its remedy
    source: str | None = None  # queue, stream or pubsub
    started: str = ""  # times are ISO 8601, UTC
    updated: str = ""
    last_flush: str | None = None
    last_event: str | None = None  # time of the latest event on disk
    lag_seconds: float | None = None  # age of the oldest event when it reached the disk, last flush
    waiting: int | None = None  # messages at the broker that no recorder has taken
    held: int = 0  # events taken and not yet on disk
    events: int = 0  # on disk since the start
    events_per_second: float = 0.0
    malformed: int = 0  # not events, or more than is taken in: set aside
    dropped: int = 0  # lost: with pub/sub while the disk refused, or trimmed by the broker's cap
    overflow: str | None = None  # when the broker's queue was last found full: uncounted events are lost
    reconnects: int = 0
    clock_behind: float = 0.0  # seconds by which the machine's clock was set back
    depths: str = ""  # why the last depth sample failed; empty when it did not
    files: str = ""  # why merging files failed the last time; empty when it did not


class StateFile:
    """The file of one recorder.

    Parameters
    ----------
    folder
        Made when it is missing.
    name
        The recorder's.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"recorder-{name}.json"
        self._complained = float("-inf")

    def write(self, state: State) -> None:
        """Replace the file; where that fails, as on a full disk, write over it."""
        state.updated = now()
        said = {
            key: value[:REASON_LIMIT] if isinstance(value, str) else value
            for key, value in asdict(state).items()
        }
        content = json.dumps(said, indent=1).encode().ljust(FILE_BYTES)
        part = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            part.rename(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            self._write_over(content, error)

    def _write_over(self, content: bytes, reason: OSError) -> None:
        try:
            with self.path.open("r+b") as sink:
                sink.write(content)
        except OSError:
            if time.monotonic() - self._complained > COMPLAINT_SECONDS:
                self._complained = time.monotonic()
                logger.warning("%s cannot be written: %s", self.path, reason.strerror or reason)


def read(folder: Path, at: datetime) -> list[State]:
    """What all recorders of a folder said last, by name.

    One that should run and has said nothing for :data:`SILENT_SECONDS` before `at` has the state
    ``silent``, with what it said last and whether its process lives as the reason.
    """
    found = sorted(_read(folder), key=lambda state: state.name)
    for state in found:
        quiet = (at - datetime.fromisoformat(state.updated)).total_seconds()
        if state.state != "stopped" and quiet > SILENT_SECONDS:
            lives = "lives" if _lives(state.pid) else "is gone"
            last = f"{state.state}: {state.reason}" if state.reason else state.state
            state.reason = (
                f"nothing was heard of it for {quiet:,.0f} s; process {state.pid} {lives}, "
                f"it was {last}; look at its log and whether {folder} can be written"
            )
            state.state = "silent"
    return found


def now() -> str:
    """The time as the file tells it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _read(folder: Path) -> Iterator[State]:
    known = {field.name for field in fields(State)}
    for path in folder.glob("recorder-*.json"):
        for _ in range(3):
            # A file that is written over in place may be seen half-written, for an instant.
            with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
                said = json.loads(path.read_bytes())
                state = State(**{key: value for key, value in said.items() if key in known})
                if datetime.fromisoformat(state.updated).tzinfo is not None:
                    yield state
                    break


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
