"""From a task's end to its row in a frame: ``python -m benchmarks.freshness``.

A real worker runs tasks at an even pace, a recorder with its default interval records them in a process of
its own, and a reader asks again and again for the tasks of the last minutes. What counts is the time from
the moment of the task's end, as its worker tells it, to the moment at which the answer with its row is
there, so the time of the question is part of it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.consumers import Counter
from benchmarks.ingest import BROKERS
from tests.integration import tiny
from tests.services.processes import process
from tests.waiting import wait_until
from zumolib.frames import tasks as tasks_frame
from zumolib.frames.window import Window
from zumolib.history import History
from zumolib.recorder import state as recorder_state

BAR = 2.0  # seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where the median is above the bar."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.freshness", description=__doc__)
    parser.add_argument("--tasks", type=int, default=200, help="(default: %(default)s)")
    parser.add_argument("--pace", type=float, default=5.0, help="tasks a second (default: %(default)s)")
    parser.add_argument("--brokers", default=",".join(BROKERS), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    found = {name: measure(name, options.tasks, options.pace) for name in options.brokers.split(",")}
    print(f"\n**Freshness** of {options.tasks:,} tasks, {options.pace:g} a second\n")
    print("| broker | median s | p95 s | longest s |\n|---|--:|--:|--:|")
    for name, ages in found.items():
        p95 = statistics.quantiles(ages, n=20)[-1]
        print(f"| {name} | {statistics.median(ages):.2f} | {p95:.2f} | {max(ages):.2f} |")
    reached = all(statistics.median(ages) < BAR for ages in found.values())
    print(f"\nmedian under {BAR:g} s: {'yes' if reached else 'NO'}")
    return 0 if reached else 1


def measure(broker: str, tasks: int, pace: float) -> list[float]:
    """Seconds from each task's end to its row."""
    server = BROKERS[broker]()
    with ExitStack() as stack:
        stack.callback(server.remove)
        server.start()
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zumo-bench-")))
        folder = place / "data"
        Counter(place / "counter", new=True)
        words = [
            sys.executable,
            "-m",
            "benchmarks.consumers",
            "zumo",
            server.url,
            str(place / "counter"),
            "5",
        ]
        recorder = stack.enter_context(subprocess.Popen(words, stderr=(place / "log").open("wb")))
        stack.callback(recorder.terminate)
        wait_until(lambda: _records(folder), 60, "the recorder records")
        worker = ["celery", "-A", "tests.integration.tiny", "worker", "-c", "1", "-E", "-l", "error"]
        stack.enter_context(process(worker, place / "worker.log", {"TINY_BROKER": server.url}))
        app = tiny.make(server.url)
        first = app.tasks["tiny.double"].delay(0).id
        history, seen = History(folder), {}
        wait_until(lambda: first in _ended(history), 60, "the first task is there")

        def send() -> None:
            pause = threading.Event()
            for number in range(tasks):
                app.tasks["tiny.double"].delay(number)
                pause.wait(1 / pace)

        sender = threading.Thread(target=send)
        sender.start()
        give_up = datetime.now(UTC) + timedelta(seconds=tasks / pace + 60)
        while len(seen) < tasks and datetime.now(UTC) < give_up:
            ended = _ended(history)
            now = datetime.now(UTC)
            for task_id, at in ended.items():
                if task_id != first:
                    seen.setdefault(task_id, (now - at).total_seconds())
        sender.join()
        if len(seen) < tasks:
            raise RuntimeError(f"{tasks - len(seen)} tasks have not appeared")
        return list(seen.values())


def _records(folder: Path) -> bool:
    return any(state.state == "recording" for state in recorder_state.read(folder, datetime.now(UTC)))


def _ended(history: History) -> dict[str, datetime]:
    now = datetime.now(UTC)
    frame = tasks_frame.records(
        history,
        Window(now - timedelta(minutes=10), now + timedelta(minutes=1)),
        columns=("task_id", "finished"),
    )
    ended = frame[frame["finished"].notna()]
    return dict(zip(ended["task_id"], ended["finished"], strict=True))


if __name__ == "__main__":
    raise SystemExit(main())
