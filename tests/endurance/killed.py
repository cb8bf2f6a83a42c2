"""``python -m tests.endurance.killed embedded|rabbitmq``: tasks under SIGKILL of each process in turn.

Every task must come to its end, every one must be in the history, and one that was begun twice must have been
in the hands of something that was killed. What the killed worker had not told of yet, no history can have:
such records are counted apart.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from celery import Celery

from tests.endurance import deployments
from tests.endurance.doubles import UNEXPLAINED, Kill, causes
from tests.endurance.logbook import NAME, Logbook
from tests.waiting import wait_until
from zumolib.history import History

PACE = 60.0  # tasks a second
SECONDS = 0.02  # that a task takes
BACK = 120.0  # seconds in which a killed process must work again
PATIENCE = 900.0  # seconds in which all tasks must have ended after the last kill
FLUSH = timedelta(seconds=3)  # in which a worker has sent the events that it batches


@dataclass
class Sender:
    """Sends tasks at an even pace; one whose sending failed is sent again under the same id."""

    app: Celery
    count: int
    sent: list[str] = field(default_factory=list)
    again: set[str] = field(default_factory=set)  # a message of these may exist twice
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until all are sent."""
        for number in range(self.count):
            task_id = f"task-{number:06d}"
            while not self.stop.is_set():
                try:
                    self.app.send_task(NAME, (SECONDS,), task_id=task_id, queue="default", retry=False)
                    break
                except Exception:  # noqa: BLE001 - whatever a lost broker raises: it is sent again
                    self.again.add(task_id)
                    self.stop.wait(0.2)
            self.sent.append(task_id)
            self.stop.wait(1 / PACE)


@contextmanager
def sending(app: Celery, count: int) -> Iterator[Sender]:
    """Tasks that are sent while the block runs."""
    sender = Sender(app, count)
    thread = threading.Thread(target=sender.run, daemon=True)
    thread.start()
    try:
        yield sender
    finally:
        sender.stop.set()
        thread.join(10)


def kill(site: deployments.Site, name: str) -> Kill:
    """Kill one process by SIGKILL and wait until it is back."""
    # psutil takes None for the calling process.
    pid: int = wait_until(lambda: site.pid(name), BACK, f"{name} to run")
    victim = psutil.Process(pid)
    pids = frozenset({pid, *(child.pid for child in victim.children(recursive=True))})
    at = time.time()
    victim.send_signal(signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(pid) or site.pid(name) != pid, BACK, f"{name} to be gone")
    site.restart(name)
    wait_until(lambda: site.works(name), BACK, f"{name} to work again")
    return Kill(name, at, time.time(), pids, broker=name == site.broker)


def judge(site: deployments.Site, sender: Sender, noted: Logbook, kills: list[Kill]) -> dict[str, Any]:
    """What became of all tasks, held against what they noted themselves."""
    ids = set(sender.sent)
    now = datetime.now(UTC)
    frame = History(site.history).tasks(now - timedelta(hours=12), now + timedelta(hours=1), name=NAME)
    recorded = dict(zip(frame["task_id"], frame["state"], strict=True))
    noted.look()
    return {
        "sent": len(ids),
        "lost": sorted(ids - set(noted.ended)),
        "not in the history": sorted(ids - set(recorded)),
        "recorded twice": int(frame["task_id"].duplicated().sum()),
        "recorded without its end": sorted(
            task for task in ids if recorded.get(task) not in (None, "SUCCESS")
        ),
        "begun twice, by cause": causes(noted.begun.values(), kills, sender.again),
        "ended twice": sorted(task for task, lines in noted.ended.items() if len(lines) > 1),
        "sent again": len(sender.again),
    }


def run(make: Callable[[ExitStack, Path], deployments.Site], count: int, rounds: int) -> dict[str, Any]:
    """Start a deployment, send, kill each of its processes `rounds` times, judge."""
    chance = random.Random(count)
    folder = Path(tempfile.mkdtemp(prefix="zk-"))
    with ExitStack() as stack:
        site = make(stack, folder)
        kills: list[Kill] = []
        noted = Logbook(site.logbook)
        with sending(site.app, count) as sender:
            for _ in range(rounds):
                for name in chance.sample(site.names, len(site.names)):
                    floor = len(sender.sent) + count // (rounds * len(site.names) + 1) // 2
                    wait_until(lambda: len(sender.sent) >= min(floor, count), 300, "tasks to be sent")  # noqa: B023
                    print(f"{len(sender.sent):>6} sent; SIGKILL {name}", flush=True)
                    kills.append(kill(site, name))
            wait_until(lambda: len(sender.sent) == count, PATIENCE, "all to be sent")
        ids = set(sender.sent)
        try:
            wait_until(lambda: noted.look().ended.keys() >= ids, PATIENCE, "all to have ended")
            since = datetime.now(UTC) + FLUSH
            wait_until(lambda: site.recorded_all(since), 120, "the recorders to have taken all events")
        except AssertionError as late:
            print(late)  # what is missing follows by id
        found = judge(site, sender, noted, kills)
        return {"deployment": site.kind, "kills": Counter(kill.name for kill in kills), **found}


def main() -> int:
    """What the command line asks for; 1 where a task was lost, is not in the history or was begun twice for no kill."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance.killed", description=__doc__)
    parser.add_argument("kind", choices=sorted(deployments.KINDS))
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=2, help="kills of each process")
    asked = parser.parse_args()
    found = run(deployments.KINDS[asked.kind], asked.tasks, asked.rounds)
    print(json.dumps(found, indent=1))
    wrong = (found["lost"], found["not in the history"], found["recorded twice"])
    return 1 if any(wrong) or UNEXPLAINED in found["begun twice, by cause"] else 0


if __name__ == "__main__":
    sys.exit(main())
