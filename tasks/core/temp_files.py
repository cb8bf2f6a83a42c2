"""Old files under a folder, deleted without ever leaving it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from tasks.base.summary import Summary


def delete_older(folder: Path, before: float, summary: Summary) -> None:
    """Delete files last changed before `before` (seconds of the epoch), then folders that this empties.

    Every step is relative to an open folder and follows no link, so that a link, or a folder that is
    swapped for one meanwhile, leads nowhere: a link is deleted itself, what it points to is not touched.

    Counts ``looked_at``, ``deleted``, ``bytes_freed``, ``folders``; what cannot be deleted is skipped.
    """
    if not folder.is_dir():
        return  # nobody has needed it yet
    root = str(folder.resolve())
    emptied: set[str] = set()  # folders that lost something in this run
    for path, folders, files, place in os.fwalk(root, topdown=False, follow_symlinks=False):
        for name in files:
            if _delete_file(place, name, f"{path}/{name}", before, summary):
                emptied.add(path)
        for name in folders:
            if _delete_folder(place, name, f"{path}/{name}", before, emptied, summary):
                emptied.add(path)


def _delete_file(place: int, name: str, shown: str, before: float, summary: Summary) -> bool:
    summary.add("looked_at")
    try:
        found = os.stat(name, dir_fd=place, follow_symlinks=False)
        if found.st_mtime >= before:
            return False
        os.unlink(name, dir_fd=place)
    except FileNotFoundError:
        return False  # its owner was faster
    except OSError as error:
        summary.skip("file", shown, error.strerror)
        return False
    summary.add("deleted")
    summary.add("bytes_freed", found.st_size)
    return True


def _delete_folder(
    place: int, name: str, shown: str, before: float, emptied: set[str], summary: Summary
) -> bool:
    """An empty folder goes when it is old or was emptied by this run: a new one may be about to be used."""
    try:
        found = os.stat(name, dir_fd=place, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            return _delete_file(place, name, shown, before, summary)
        if found.st_mtime >= before and shown not in emptied:
            return False
        os.rmdir(name, dir_fd=place)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            summary.skip("folder", shown, error.strerror)
        return False
    summary.add("folders")
    return True
