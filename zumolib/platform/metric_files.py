"""The files in which a worker's processes count, kept to one set a living process and one of all that ended.

A process of the pool writes two files of its own, and the library keeps them for ever, since what was counted
must not be lost. A new process adds up those of dead ones: so there are never more than processes lived since.
"""

from __future__ import annotations

import fcntl
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

from zumolib import processes

LOCK = "lock"
SUMMED = ("counter", "histogram", "summary")  # what can be added up; a gauge of a dead process tells nothing
ENDED = 0  # stands for the id of all processes that ended


def add_up(folder: Path) -> int:
    """Add the files of dead processes to one of each kind; returns how many went."""
    with _locked(folder, fcntl.LOCK_EX):
        dead: dict[str, list[Path]] = defaultdict(list)
        for file in sorted(folder.glob("*_*.db")):
            kind, _, pid = file.stem.rpartition("_")
            if pid.isdecimal() and int(pid) != ENDED and not processes.runs(int(pid)):
                dead[kind].append(file)
        for kind, files in dead.items():
            if kind in SUMMED:
                _add(folder / f"{kind}_{ENDED}.db", files)
            for file in files:
                file.unlink()
    return sum(map(len, dead.values()))


def _add(target: Path, files: list[Path]) -> None:
    sums: dict[str, float] = defaultdict(float)
    for file in [*filter(Path.exists, [target]), *files]:
        for key, value, _stamp, _place in MmapedDict.read_all_values_from_file(str(file)):
            sums[key] += value
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    written = MmapedDict(str(part))
    for key, value in sums.items():
        written.write_value(key, value, 0.0)
    written.close()
    part.replace(target)


@contextmanager
def reading(root: Path) -> Iterator[None]:
    """Let nobody add up below this folder meanwhile: a file would be counted twice, or not at all."""
    with ExitStack() as stack:
        for lock in sorted(root.rglob(LOCK)):
            stack.enter_context(_locked(lock.parent, fcntl.LOCK_SH))
        yield


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    path = folder / LOCK
    if how == fcntl.LOCK_EX:
        path.touch()
    with path.open() as file:
        fcntl.flock(file, how)
        yield
