"""Where a history lies: a local folder, or (:mod:`zumolib.history.bucket`) an object store.

A place keeps whole files under names. A file appears at once and complete, or not at all, and never
changes; what was put there survives a power cut.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zumolib.errors import HistoryError

_PART = ".part"


@dataclass(frozen=True)
class Entry:
    """One file of a place."""

    name: str  # with slashes, relative to the place
    bytes: int
    modified: float  # seconds since 1970


class Place(Protocol):
    """Keeps files under names.

    Every method raises :class:`zumolib.errors.HistoryError` when the place cannot be reached or
    written; `path` and `read` raise FileNotFoundError for a name that is not there.
    """

    url: str  # tells places apart, for people and for caches
    root: Path  # a local folder that belongs to it: for locks, states and what is kept aside

    def entries(self, folder: str) -> list[Entry]:
        """The files below a folder, at any depth, in order of name."""

    def path(self, name: str) -> Path:
        """A local file with the content of this name."""

    def read(self, name: str) -> bytes:
        """The content of this name."""

    def put(self, name: str, write: Callable[[Path], object]) -> int:
        """Keep what `write` writes to the path that it is given; returns the bytes."""

    def claim(self, name: str, content: bytes) -> bool:
        """Keep this content unless the name is taken; whether it was free. Among many, one wins."""

    def delete(self, name: str) -> None:
        """Delete; a name that is not there is no error."""

    def alone(self) -> AbstractContextManager[bool]:
        """Whether nobody else works in the background here; while the context lasts, nobody will."""

    def clean(self, before: float) -> None:
        """Delete what crashes left half-written before this moment (seconds since 1970)."""

    def spill(self) -> AbstractContextManager[Path]:
        """A local folder for temporary files, gone afterwards."""


@contextmanager
def temporary() -> Iterator[Path]:
    """A local folder that is gone afterwards, with what is in it."""
    folder = Path(tempfile.mkdtemp(prefix="zumo-history-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Folder:
    """A local folder; made on the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = str(root)

    def entries(self, folder: str) -> list[Entry]:
        found: list[Entry] = []
        try:
            self._walk(folder, found)
        except (FileNotFoundError, NotADirectoryError):
            pass  # nothing was written yet, or it was deleted under our eyes
        except OSError as error:
            raise HistoryError(
                f"{self.root / folder} cannot be read ({error.strerror}); make it readable"
            ) from error
        return sorted(found, key=lambda entry: entry.name)

    def _walk(self, folder: str, found: list[Entry]) -> None:
        with os.scandir(self.root / folder) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}"
                if entry.is_dir():
                    with contextlib.suppress(FileNotFoundError):
                        self._walk(name, found)
                elif not entry.name.startswith("."):
                    with contextlib.suppress(FileNotFoundError):
                        stat = entry.stat()
                        found.append(Entry(name, stat.st_size, stat.st_mtime))

    def path(self, name: str) -> Path:
        return self.root / name

    def read(self, name: str) -> bytes:
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise HistoryError(
                f"{self.root / name} cannot be read ({error.strerror}); make it readable"
            ) from error

    def put(self, name: str, write: Callable[[Path], object]) -> int:
        path = self.root / name
        with self._part(path) as part:
            write(part)
            _sync(part)
            size = part.stat().st_size
            part.rename(path)
            _sync(path.parent)
        return size

    def claim(self, name: str, content: bytes) -> bool:
        path = self.root / name
        with self._part(path) as part:
            part.write_bytes(content)
            _sync(part)
            try:
                # A link, unlike a rename, refuses a name that is taken.
                os.link(part, path)
            except FileExistsError:
                return False
            except OSError:
                # No links on this file system; the lock on the folder keeps others of this machine away.
                if path.exists():
                    return False
                part.rename(path)
            part.unlink(missing_ok=True)
            _sync(path.parent)
        return True

    def delete(self, name: str) -> None:
        path = self.root / name
        try:
            path.unlink(missing_ok=True)
            if path.parent.name.startswith("day="):
                with contextlib.suppress(OSError):  # not empty yet
                    path.parent.rmdir()
        except OSError as error:
            raise HistoryError(
                f"{path} cannot be deleted ({error.strerror}); make its folder writable"
            ) from error

    @contextmanager
    def alone(self) -> Iterator[bool]:
        path = self.root / "background.lock"
        try:
            if not self.root.is_dir():
                yield False  # nothing was ever written
                return
            # Not open for writing, so that it keeps nobody from making the file system read-only.
            handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            try:
                # The kernel frees it when the process ends, however it ends.
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(handle)

    def clean(self, before: float) -> None:
        for part in self.root.rglob(f".*{_PART}"):
            with contextlib.suppress(OSError):
                if part.stat().st_mtime < before:
                    part.unlink()

    def spill(self) -> AbstractContextManager[Path]:
        return temporary()

    @contextmanager
    def _part(self, path: Path) -> Iterator[Path]:
        """A name beside `path` to write to; nothing stays there."""
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_PART}")
        try:
            try:
                _make(path.parent)
                yield part
            finally:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(path.parent, error) from error


def _unwritable(path: Path, error: OSError) -> HistoryError:
    return HistoryError(
        f"{path} cannot be written ({error.strerror or error}); free space or make it writable"
    )


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _sync(folder.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
