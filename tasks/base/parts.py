"""Files that appear whole: each is written beside its place and then moved there.

A run that is killed leaves what it had begun. It goes when the next run comes to that folder, which a
lease must keep to one run at a time.
"""

from __future__ import annotations

import os
from pathlib import Path


def begun(folder: Path, name: str) -> Path:
    """Where this process writes what will be a file of `folder`."""
    return folder / f".{name}.{os.getpid()}.part"


def sweep(folder: Path) -> None:
    """Remove what runs that were killed had begun here; the caller holds the folder's lease."""
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)
