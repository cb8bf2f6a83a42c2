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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from celery import Celery

from tests.endurance import deployments
from tests.endurance.logbook import NAME, Runs
from tests.waiting import wait_until
from zumolib.history import History

PACE = 60.0  # tasks a second
SECONDS = 0.02  # that a task takes
BACK = 120.0  # seconds in which a killed process must work again
PATIENCE = 900.0  # seconds in which all tasks must have ended after the last kill


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


def kill(site: deployments.Site, name: str) -> set[str]:
    """Kill one process by SIGKILL, wait until it is back; returns the tasks that were begun and not ended."""
    before = Runs.read(site.logbook)
    victim = site.pid(name)
    psutil.Process(victim).send_signal(signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(victim) or site.pid(name) != victim, BACK, f"{name} to be gone")
    site.restart(name)
    wait_until(lambda: site.works(name), BACK, f"{name} to work again")
    return set(before.begun - before.ended)


def judge(site: deployments.Site, sender: Sender) -> dict[str, Any]:
    """What became of all tasks, held against what they noted themselves."""
    ids = set(sender.sent)
    runs = Runs.read(site.logbook)
    now = datetime.now(UTC)
    frame = History(site.history).tasks(now - timedelta(hours=12), now + timedelta(hours=1), name=NAME)
    recorded = dict(zip(frame["task_id"], frame["state"], strict=True))
    twice = {task for task, count in runs.begun.items() if count > 1}
    return {
        "sent": len(ids),
        "lost": sorted(ids - set(runs.ended)),
        "not in the history": sorted(ids - set(recorded)),
        "recorded twice": int(frame["task_id"].duplicated().sum()),
        "recorded without its end": sorted(
            task for task in ids if recorded.get(task) not in (None, "SUCCESS")
        ),
        "begun twice": sorted(twice),
        "ended twice": sorted(task for task, count in runs.ended.items() if count > 1),
        "sent again": len(sender.again),
    }


def run(make: Callable[[ExitStack, Path], deployments.Site], count: int, rounds: int) -> dict[str, Any]:
    """Start a deployment, send, kill each of its processes `rounds` times, judge."""
    chance = random.Random(count)
    folder = Path(tempfile.mkdtemp(prefix="zk-"))
    with ExitStack() as stack:
        site = make(stack, folder)
        kills: list[str] = []
        with sending(site.app, count) as sender:
            for _ in range(rounds):
                for name in chance.sample(site.names, len(site.names)):
                    floor = len(sender.sent) + count // (rounds * len(site.names) + 1) // 2
                    wait_until(lambda: len(sender.sent) >= min(floor, count), 300, "tasks to be sent")  # noqa: B023
                    print(f"{len(sender.sent):>6} sent; SIGKILL {name}", flush=True)
                    kill(site, name)
                    kills.append(name)
            wait_until(lambda: len(sender.sent) == count, PATIENCE, "all to be sent")
        ids = set(sender.sent)
        wait_until(lambda: ids <= set(Runs.read(site.logbook).ended), PATIENCE, "all to have ended")
        wait_until(site.recorded_all, 120, "the recorders to have taken all events")
        return {"deployment": site.kind, "kills": len(kills), "processes": site.names, **judge(site, sender)}


def main() -> int:
    """What the command line asks for; 1 where a task was lost or is not in the history."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance.killed", description=__doc__)
    parser.add_argument("kind", choices=sorted(deployments.KINDS))
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=2, help="kills of each process")
    asked = parser.parse_args()
    found = run(deployments.KINDS[asked.kind], asked.tasks, asked.rounds)
    print(json.dumps(found, indent=1))
    return 1 if found["lost"] or found["not in the history"] or found["recorded twice"] else 0


if __name__ == "__main__":
    sys.exit(main())
