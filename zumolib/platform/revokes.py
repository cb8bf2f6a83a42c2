"""Keep revokes on disk, so that a worker that restarts, or is killed, does not run what was revoked.

Celery's ``--statedb`` reads its file when a worker starts and writes it when that ends in order: what a
worker was told since is lost when it is killed. Here the file is written before a revoke is answered, as
a whole, so that a worker killed in the middle leaves the one before. And a revoke is kept until 50,000
newer ones have come (``CELERY_WORKER_REVOKES_MAX``), where Celery forgets it three hours later, which is
before a task with a later ETA is due.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.utils.log import get_logger
from celery.worker import control as commands
from celery.worker import state
from celery.worker.control import Panel

log = get_logger(__name__)

NAMES = ("revoke", "terminate", "revoke_by_stamped_headers")


class File(dict[str, Any]):
    """What Celery keeps in a shelf, in one file that is replaced as a whole.

    Parameters
    ----------
    path
        Where it is kept; its folder is made.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        super().__init__(self._read())

    @classmethod
    def open(cls, filename: str, **_: Any) -> File:
        """As :func:`shelve.open`."""
        return cls(filename)

    def sync(self) -> None:
        """Write it."""
        beside = self._path.with_name(f"{self._path.name}.part")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            pickle.dump(dict(self), file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)

    def close(self) -> None:
        """Nothing is held open."""

    def _read(self) -> dict[str, Any]:
        try:
            with self._path.open("rb") as file:
                found = pickle.load(file)
        except FileNotFoundError:
            return {}
        except Exception as error:  # noqa: BLE001 - pickle raises what it likes; a worker must start all the same
            aside = self._path.with_name(f"{self._path.name}.damaged")
            self._path.replace(aside)
            log.error(
                "Revokes on disk cannot be read (%s): %s; the file is now %s.", error, self._path, aside
            )
            return {}
        return dict(found)


class KeepRevokes(bootsteps.StartStopStep):
    """Step of the worker, where ``--statedb`` names a file. Only a step that could start tells of itself."""

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        self.enabled = bool(worker.statedb)
        super().__init__(worker, **kwargs)
        if self.enabled:  # before Celery's own step opens the file
            state.Persistent.storage = File
            state.revoked.expires = 0
            for name in NAMES:
                Panel.data[name] = _kept(getattr(commands, name), worker)

    def info(self, worker: Any) -> dict[str, Any]:
        """What ``celery inspect stats`` tells of it."""
        return {"revokes_kept": str(worker.statedb)}


def _kept(command: Callable[..., Any], worker: Any) -> Callable[..., Any]:
    """A command that answers when its revokes are on disk."""

    @wraps(command)
    def kept(*args: Any, **kwargs: Any) -> Any:
        said = command(*args, **kwargs)
        worker._persistence.sync()
        return said

    return kept
