"""What an embedded stack takes at one moment: its processes, the files in its home, its Valkey."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis

from tests.acceptance.stack import Stack
from zumolib.stack.supervisor import Supervisor

DATABASES = {"db0": "cache", "db1": "results", "db2": "broker"}  # of the embedded Valkey


@dataclass(frozen=True)
class Reading:
    """One number."""

    kind: str  # "process", "folder" or "valkey"
    name: str  # the service, "… pool" for all processes below it; the folder; the database
    measure: str
    value: float


def take(stack: Stack) -> list[Reading]:
    """All numbers of this moment."""
    return [*_processes(stack), *folders(stack.home), *_valkey(stack)]


def _processes(stack: Stack) -> Iterator[Reading]:
    supervisor = Supervisor(stack.home, stack.plan())
    pids = {service.name: service.pid for service in supervisor.services()}
    pids["supervisord"] = supervisor.pid()
    for name, pid in pids.items():
        if pid is None:
            continue  # the sample lacks it, which its count of samples shows
        process = psutil.Process(pid)
        below = [] if name == "supervisord" else process.children(recursive=True)
        yield Reading("process", name, "pid", pid)
        yield from (Reading("process", name, key, value) for key, value in _sizes([process]).items())
        yield Reading("process", name, "children", len(below))
        if below:
            pool = f"{name} pool"
            yield from (Reading("process", pool, key, value) for key, value in _sizes(below).items())


def _sizes(processes: list[psutil.Process]) -> dict[str, float]:
    """Sums over these processes; one that ends meanwhile counts as gone."""
    sums: Counter[str] = Counter(rss=0, handles=0, files=0, threads=0, cpu=0)
    for process in processes:
        try:
            with process.oneshot():
                times = process.cpu_times()
                found = {
                    "rss": process.memory_info().rss,
                    "handles": process.num_fds(),
                    "files": len(process.open_files()),
                    "threads": process.num_threads(),
                    # Children that ended are in their parent's time.
                    "cpu": times.user + times.system + times.children_user + times.children_system,
                }
        except psutil.NoSuchProcess:
            continue
        sums.update(found)
    return {key: float(value) for key, value in sums.items()}


def folders(home: Path) -> Iterator[Reading]:
    """Files and bytes below `home` by first folder, also of those that are empty."""
    files: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for folder, below, names in os.walk(home):
        if Path(folder) == home:
            files.update(dict.fromkeys(below, 0))
        first = (Path(folder).relative_to(home).parts or ("(home)",))[0]
        for name in names:
            try:
                size[first] += os.lstat(os.path.join(folder, name)).st_size
            except FileNotFoundError:
                continue  # it went between the listing and the look
            files[first] += 1
    for first in files:
        yield Reading("folder", first, "files", files[first])
        yield Reading("folder", first, "bytes", size[first])


def _valkey(stack: Stack) -> Iterator[Reading]:
    with connect(stack) as client:
        memory, clients, keys = client.info("memory"), client.info("clients"), client.info("keyspace")
    yield Reading("valkey", "server", "used_memory", memory["used_memory"])
    yield Reading("valkey", "server", "connections", clients["connected_clients"])
    for database, name in DATABASES.items():
        yield Reading("valkey", name, "keys", keys.get(database, {"keys": 0})["keys"])


def connect(stack: Stack, database: int = 0) -> redis.Redis:
    """A client of the stack's Valkey."""
    plan = stack.plan()
    return redis.Redis(
        port=plan.ports["valkey"], password=plan.valkey_password, db=database, socket_timeout=10
    )
