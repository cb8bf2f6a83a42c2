"""A task that notes its own begin and end in a file: what really happened, told by nobody else."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
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
class Line:
    """One line of the logbook."""

    task: str
    what: str  # "begin" or "end"
    at: float  # seconds since 1970
    pid: int  # of the process that noted it


@dataclass
class Logbook:
    """All that was noted, by task; each look reads only what was added since the last one."""

    folder: Path
    begun: defaultdict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))
    ended: defaultdict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))
    _read: defaultdict[Path, int] = field(default_factory=lambda: defaultdict(int))

    def look(self) -> Logbook:
        """Read on; returns itself."""
        for path in self.folder.glob("*.log"):
            with path.open() as source:
                source.seek(self._read[path])
                text = source.read()
                self._read[path] = source.tell()
            for line in text.splitlines():
                task, what, at = line.split()
                kind = self.begun if what == "begin" else self.ended
                kind[task].append(Line(task, what, float(at), int(path.stem)))
        return self


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
