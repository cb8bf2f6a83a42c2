"""A task that notes its own begin and end in a file: what really happened, told by nobody else."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import sleep, time

from celery import shared_task

FOLDER = "LOGBOOK"  # variable with the folder of the files, one a process
NAME = "logbook.work"


@shared_task(name=NAME, bind=True)
def work(self: object, seconds: float = 0.0) -> None:
    """Take a while, and note when it began and ended."""
    task_id = self.request.id  # type: ignore[attr-defined]
    note(task_id, "begin")
    sleep(seconds)
    note(task_id, "end")


def note(task_id: str, what: str) -> None:
    """One line, whole or not at all, in the file of this process."""
    path = Path(os.environ[FOLDER]) / f"{os.getpid()}.log"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(handle, f"{task_id} {what} {time():.6f}\n".encode())
    os.close(handle)


@dataclass(frozen=True)
class Runs:
    """How often each task was begun and brought to its end."""

    begun: Counter[str]
    ended: Counter[str]

    @classmethod
    def read(cls, folder: Path) -> Runs:
        """All that was noted until now."""
        lines = list(_lines(folder))
        return cls(*(Counter(task for task, what in lines if what == kind) for kind in ("begin", "end")))


def _lines(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.glob("*.log"):
        for line in path.read_text().splitlines():
            task, what, _ = line.split()
            yield task, what


def inject(folder: Path) -> dict[str, str]:
    """Variables that let every `celery worker` started with them know the task; it writes into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    hook = folder / "hook"
    hook.mkdir(exist_ok=True)
    (hook / "sitecustomize.py").write_text(
        "import sys\nif 'worker' in sys.orig_argv:\n    import tests.endurance.logbook\n"
    )
    project = Path(__file__).resolve().parents[2]
    return {FOLDER: str(folder), "PYTHONPATH": os.pathsep.join([str(hook), str(project)])}
