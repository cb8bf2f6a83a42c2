"""Files that a question could not read, noted for whoever works in the background and for ``zumo status``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

NOTE = "doubts"  # one name a line
MOST = 1_000  # names that are kept


def note(root: Path, names: Iterable[str]) -> None:
    """Add names to the note; one that cannot be written is done without, as on a disk for reading only."""
    before = noted(root)
    new = sorted(set(names) - before)
    if not new or not root.is_dir() or len(before) + len(new) > MOST:
        return
    with contextlib.suppress(OSError), (root / NOTE).open("a") as sink:
        sink.writelines(f"{name}\n" for name in new)


def noted(root: Path) -> frozenset[str]:
    """The names in the note."""
    try:
        return frozenset((root / NOTE).read_text(errors="replace").splitlines())
    except OSError:
        return frozenset()  # none was ever written


def forget(root: Path) -> None:
    """Empty the note: each name was looked into."""
    with contextlib.suppress(OSError):
        (root / NOTE).unlink(missing_ok=True)
