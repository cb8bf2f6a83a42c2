"""A recorder's name in a history, which only one process holds at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zumolib.errors import HistoryError


@contextmanager
def hold(folder: Path, name: str) -> Iterator[None]:
    """Hold the name; the kernel frees it when the process ends, however it ends.

    Raises
    ------
    HistoryError
        Another recorder of this name writes into this folder.
    OSError
        The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Not open for writing, so that it keeps nobody from making the file system read-only.
    handle = os.open(folder / f"recorder-{name}.lock", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise HistoryError(
            f"a recorder named {name} already writes into {folder}; stop it, or give this one another name"
        ) from None
    try:
        yield
    finally:
        os.close(handle)
