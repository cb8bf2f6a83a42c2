"""A running deployment of other people: Django, its schedule, a broker, a worker at work and tasks that wait.

:meth:`Deployment.look` takes all that can be compared of it: what an observer left as it was is equal.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import redis
from celery import Celery

from tests.foreign import project
from tests.services.processes import end
from tests.services.valkey import valkey
from tests.waiting import wait_until

APP = "their_celery"
NODE = "theirs@here"
PROCESSES = 2
WAITING = 10  # tasks behind those that run, some of them reserved, and as many in a queue without a worker
MACHINERY = (  # what asking and listening to events need on this transport, and the worker's own lock
    b"reply.celery.pidbox",
    b"unacked_mutex",
    b"celeryev",
)


@dataclass(frozen=True)
class Deployment:
    """Where it is, and its own view of itself."""

    folder: Path
    database: Path
    broker: str
    results: str
    app: Celery
    held: tuple[str, ...]  # ids of the tasks that run until they are released
    sent: tuple[str, ...]  # ids of those, and of what waits behind them
    worker: int  # its process

    @property
    def settings(self) -> dict[str, str]:
        """The variables of the README that point a process at it, and what its own code reads."""
        return {
            "ZUMO_APP": APP,
            "CELERY_BROKER_URL": self.broker,
            "DATABASE_URL": f"sqlite:///{self.database}",
            "PYTHONPATH": str(self.folder),
            **_own(self.folder, self.broker, self.results),
        }

    def send(self, task: str, *args: Any, **options: Any) -> str:
        """Send a task as its own producer would; returns the id."""
        return str(self.app.send_task(task, args, **options).id)

    def writes(self) -> list[str]:
        """What anybody but the worker and this process wrote on the server since the last time, undone or not.

        The server logs each command with who sent it. What the asking of a worker needs is left out.
        """
        mine = psutil.Process()
        worker = psutil.Process(self.worker)
        known = {
            connection.laddr.port
            for process in (mine, worker, *worker.children(recursive=True))
            for connection in process.net_connections("tcp")
        }
        with redis.Redis.from_url(self.broker) as client:
            writing = {bytes(name) for name in client.execute_command("COMMAND LIST FILTERBY ACLCAT write")}
            logged = client.execute_command("SLOWLOG", "GET", -1)
            client.slowlog_reset()
        return sorted(
            {
                b" ".join(words[:4]).decode(errors="replace")
                for _, _, _, words, address, _ in logged
                if int(address.rpartition(b":")[2]) not in known
                and words[0].lower() in writing
                and not any(map(_is_asking, words))
            }
        )

    def release(self) -> None:
        """Let the tasks that run come to their end."""
        (self.folder / "release").touch()

    def runs(self) -> list[str]:
        """Ids of the tasks that the worker began, in order."""
        path = self.folder / "runs"
        return path.read_text().split() if path.exists() else []

    def look(self) -> dict[str, Any]:
        """Everything: the database as text and as bytes, every key of the broker, the worker, what it ran."""
        return {
            "database": dump(self.database),
            "files": files(self.database),
            **{f"key {key}": value for key, value in keys(self.broker).items()},
            **{f"result {key}": value for key, value in keys(self.results).items()},
            **{f"worker {what}": answer for what, answer in self._worker().items()},
            "runs": self.runs(),
        }

    def is_still(self) -> bool:
        """Whether nothing changes by itself."""
        return self.look() == self.look()

    def _worker(self) -> dict[str, Any]:
        """What the worker says of itself, as far as it does not change by itself."""
        ask = self.app.control.inspect(destination=[NODE], timeout=10)
        found = {
            "queues": ask.active_queues(),
            "limits": ask.registered("rate_limit", "time_limit", "soft_time_limit"),
            "revoked": ask.revoked(),
            "active": ask.active(),
            "reserved": ask.reserved(),
            "scheduled": ask.scheduled(),
        }
        stats = ask.stats()
        assert set(stats or ()) == {NODE}, f"the worker does not answer, see {self.folder / 'worker.log'}"
        of_it = stats[NODE]
        return found | {
            "pid": of_it["pid"],
            "pool": of_it["pool"]["processes"],
            "prefetch": of_it["prefetch_count"],
            "total": of_it["total"],
        }


@contextmanager
def running(folder: Path) -> Iterator[Deployment]:
    """The deployment, while it lives: one task runs, one waits for its time, some wait in a queue."""
    with ExitStack() as stack:
        database = project.make(folder)
        with closing(sqlite3.connect(database)) as connection, connection:
            # Nothing falls due meanwhile: they have no beat here, and a runbook would wait for what is due.
            connection.execute("UPDATE django_celery_beat_intervalschedule SET period = 'days'")
        server = stack.enter_context(valkey())
        broker, results = server, server.rsplit("/", 1)[0] + "/1"
        app = Celery("their producer", broker=broker, backend=results, set_as_current=False)
        stack.callback(app.close)
        command = [sys.executable, "-m", "celery", "-A", APP, "worker", f"-c{PROCESSES}", "-n", NODE, "-Q", "celery", "-l", "info"]  # fmt: skip
        clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        environment = {
            **clean,
            "PYTHONPATH": str(folder),
            **_own(folder, broker, results),
            "CELERY_BROKER_URL": broker,
        }
        with (folder / "worker.log").open("wb") as sink:
            worker = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=sink, stderr=sink, start_new_session=True
            )
        stack.callback(end, worker)
        app.send_task("plain.bill", countdown=3_600)
        held = [app.send_task("plain.hold", (str(folder / "release"),)).id for _ in range(PROCESSES)]
        for number in range(WAITING):
            app.send_task("plain.later", (number,), queue="later", priority=number)
        behind = [app.send_task("plain.bill", (number,)).id for number in range(WAITING)]
        made = Deployment(folder, database, broker, results, app, tuple(held), (*held, *behind), worker.pid)
        with redis.Redis.from_url(server) as client:
            client.config_set("slowlog-max-len", 100_000)
            client.config_set("slowlog-log-slower-than", 0)
        stack.callback(made.release)
        log = folder / "worker.log"
        wait_until(lambda: set(held) <= set(made.runs()), 60, f"their worker begins its tasks, see {log}")
        wait_until(made.is_still, 60, f"their worker reserves what it can, see {log}")
        yield made


def _own(folder: Path, broker: str, results: str) -> dict[str, str]:
    return {"THEIR_RESULTS": results, "THEIR_RUNS": str(folder / "runs")}


def dump(database: Path) -> list[str]:
    """Schema and rows."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return list(connection.iterdump())


def files(database: Path) -> dict[str, str]:
    """The database's files, as they are: a journal mode and a page's free space are no rows."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(database.parent.glob(f"{database.name}*"))
    }


def keys(url: str) -> dict[str, Any]:
    """All that is in a database of the server, by key: its type, its length and what it holds."""
    with redis.Redis.from_url(url) as client:
        return {
            key.decode(): (client.type(key).decode(), _without_asking(_content(client, key)))
            for key in sorted(client.scan_iter(count=1_000))
            if not _is_asking(key)
        }


def _is_asking(name: Any) -> bool:
    return isinstance(name, bytes) and any(part in name for part in MACHINERY)


def _without_asking(content: Any) -> Any:
    """Deadlines are a set of all bindings, also of those that are left out."""
    if not isinstance(content, list):
        return content
    return [item for item in content if not _is_asking(item[0] if isinstance(item, tuple) else item)]


def _content(client: redis.Redis, key: bytes) -> Any:
    read = {
        b"list": lambda: client.lrange(key, 0, -1),
        b"set": lambda: sorted(client.smembers(key)),
        b"zset": lambda: client.zrange(key, 0, -1, withscores=True),
        b"hash": lambda: client.hgetall(key),
        b"string": lambda: client.get(key),
        b"stream": lambda: client.xrange(key),
    }
    return read[client.type(key)]()
