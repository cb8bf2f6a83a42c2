"""Whether the embedded Valkey refuses its files, told from the end of its log."""

from __future__ import annotations

import re
from pathlib import Path

END_BYTES = 65_536  # of the log; a start writes about 2 KB
STARTED = re.compile(r"Valkey version=|oO0OoO0OoO0Oo")
READY = "Ready to accept connections"
REFUSED = re.compile(
    r"(?i)^.*(bad file format|wrong signature|unexpected end of file|short read|rdb crc|"
    r"fatal error loading|unrecoverable error|error reading the rdb|can't handle rdb).*$",
    re.MULTILINE,
)


def damage(home: Path) -> str:
    """What Valkey said of a file that it cannot load, and what to do; empty where it has not since its last start."""
    try:
        with (home / "log" / "valkey.log").open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - END_BYTES))
            text = log.read().decode(errors="replace")
    except OSError:
        return ""
    starts = [match.start() for match in STARTED.finditer(text)]
    # Supervisor starts it again and again: the last start may not have come to its files yet.
    since = text[starts[-4] if len(starts) > 3 else 0 :]
    found = list(REFUSED.finditer(since))
    if not found or READY in since[found[-1].end() :]:
        return ""
    said = found[-1].group().partition(" # ")[2] or found[-1].group()
    folder = home / "valkey"
    return (
        f"Valkey cannot load its files in {folder / 'appendonlydir'} ({said.strip()[:200]}); run `zumo down`, move that "
        f"folder aside, put a copy of your own in its place or start with an empty one, then run `zumo up`. Waiting "
        f"tasks and results are in it; schedule and history are not"
    )
