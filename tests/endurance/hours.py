"""``python -m tests.endurance.hours``: an embedded stack under an even load, watched for growth.

Tasks that succeed, tasks that fail, names that no worker knows and the schedule's own tasks go through the
broker at an even pace, and beat does its work beside. Every process, every folder of the home and Valkey are
sampled into a file; at the end the first quarter is shown beside the last, and the exit code is 1 where
something grew more than it may (:mod:`tests.endurance.growth`).
"""

from __future__ import annotations

import argparse
import csv
import itertools
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import pandas as pd
import psutil
import redis
from celery import Celery
from celery._state import _set_task_join_will_block
from kombu.exceptions import OperationalError

from tests.acceptance.stack import Stack
from tests.endurance import footprint, growth
from zumolib.platform.entries import ENTRIES
from zumolib.platform.queues import RATE_LIMITS

PACE = 5.0  # tasks a second
EVERY = 30.0  # seconds between samples
KEEP = 600  # seconds that results are kept, so that theirs is not the growth of a day

QUICK = "zumodra.celery.debug_task"


@dataclass
class Load:
    """Sends tasks at an even pace until stopped."""

    app: Celery
    sent: int = 0
    failed: int = 0  # could not be sent
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """By an absolute clock, so that slow sending does not slow the pace down."""
        began = time.monotonic()
        # One that is held back for an hour keeps a worker's slot for so long.
        due = [entry for entry in ENTRIES if not RATE_LIMITS.get(entry.task, "").endswith("/h")]
        entries = itertools.cycle(due)
        for number in itertools.count():
            if self.stop.wait(max(began + number / PACE - time.monotonic(), 0)):
                return
            try:
                if number % 25 == 0:
                    entry = next(entries)
                    self.app.send_task(
                        entry.task, kwargs=dict(entry.kwargs), queue=entry.queue,
                        headers={"periodic_task_name": entry.name},
                    )  # fmt: skip
                elif number % 25 == 1:
                    self.app.send_task(QUICK, kwargs={"unknown": number})  # fails with a traceback
                elif number % 25 == 2:
                    self.app.send_task(f"endurance.unknown-{number % 100}", queue="default")
                elif number % 25 == 3:
                    self.app.send_task(QUICK, countdown=20)
                else:
                    self.app.send_task(QUICK)
            except OperationalError:
                self.failed += 1
            else:
                self.sent += 1


@contextmanager
def loaded(app: Celery) -> Iterator[Load]:
    """Tasks are sent while the block runs."""
    # Whoever sends and never asks for a result subscribes to each all the same, and reads none: the server keeps
    # them for it. What is watched here is the stack.
    _set_task_join_will_block(True)
    load = Load(app)
    thread = threading.Thread(target=load.run, daemon=True)
    thread.start()
    try:
        yield load
    finally:
        load.stop.set()
        thread.join(30)


def shorten(stack: Stack) -> None:
    """Keep results for minutes instead of a day, so that what comes and what goes are in balance soon."""
    with footprint.connect(stack, 1) as client, client.pipeline(transaction=False) as pipe:
        for key in client.scan_iter(count=1_000):
            pipe.expire(key, KEEP, lt=True)
        pipe.execute()


def watch(stack: Stack, hours: float, path: Path) -> Load:
    """Sample into `path` while tasks are sent, for so many hours."""
    began = time.monotonic()
    with path.open("w", newline="") as sink, loaded(stack.app) as load:
        writer = csv.writer(sink)
        writer.writerow(["seconds", "kind", "name", "measure", "value"])
        for number in itertools.count():
            time.sleep(max(began + number * EVERY - time.monotonic(), 0))
            seconds = time.monotonic() - began
            if seconds > hours * 3_600:
                return load
            try:
                shorten(stack)
                readings = footprint.take(stack)
            except (psutil.NoSuchProcess, redis.RedisError) as error:
                # A service that starts again is seen by its next process id.
                print(f"{seconds / 60:6.1f} min, no sample: {error}", flush=True)
                continue
            for reading in readings:
                writer.writerow(
                    [f"{seconds:.1f}", reading.kind, reading.name, reading.measure, reading.value]
                )
            sink.flush()
            if number % 20 == 0:
                print(
                    f"{seconds / 60:6.1f} min, {load.sent} sent, {load.failed} could not be sent", flush=True
                )
    raise AssertionError("the samples have no end")


def report(path: Path) -> int:
    """Print what the samples in `path` show; 1 where something grew more than it may."""
    samples = pd.read_csv(path)
    found = growth.table(samples)
    with pd.option_context("display.max_rows", None, "display.width", 200, "display.max_columns", None):
        print(found.to_string(index=False, float_format=lambda value: f"{value:,.2f}"))
    shares = growth.cpu(samples)
    print("share of one core: " + ", ".join(f"{name} {share:.1%}" for name, share in shares.items()))
    print(f"in all {sum(shares.values()):.1%} of one core for {samples['seconds'].max() / 3_600:.2f} h")
    wrong = found[found["problem"] != ""]
    for row in wrong.itertuples():
        print(f"{row.kind} {row.name}, {row.measure}: {row.problem}")
    print(
        "nothing grew more than it may" if wrong.empty else f"{len(wrong)} measures are out of their bounds"
    )
    return 0 if wrong.empty else 1


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance.hours", description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--samples", type=Path, help="file of the samples; in the scratch folder without it")
    parser.add_argument("--judge", type=Path, help="start nothing, judge these samples of an earlier run")
    asked = parser.parse_args()
    if asked.judge:
        return report(asked.judge)
    signal.signal(signal.SIGTERM, _interrupt)  # so that the stack ends, and what there is is shown
    folder = Path(tempfile.mkdtemp(prefix="zh-"))
    path: Path = asked.samples or folder / "samples.csv"
    print(f"samples go to {path}", flush=True)
    with ExitStack() as ending:
        stack = Stack(folder / "home")
        ending.callback(lambda: stack.zumo("down"))
        stack.up()
        made = stack.zumo("demo", "load", "--scale", "0.3", timeout=600)
        if made.returncode:
            raise SystemExit(made.stdout + made.stderr)
        try:
            load = watch(stack, asked.hours, path)
        except KeyboardInterrupt:
            print("interrupted; what was sampled until now:")
        else:
            print(f"{load.sent} sent, {load.failed} could not be sent")
        left = stack.status()
    print(f"health at the end: { {row['id']: row['state'] for row in left['health']} }")
    return report(path)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
