"""What control costs against bare Celery: `python -m benchmarks.control`.

Three ratios, on a real Valkey and real workers, the two sides measured in turn so that both meet the same
noise: a call followed to its result through plan, receipt and verification against ``delay().get()``; a
snapshot of ten workers, whose names are known, against one broadcast of ``inspect``; and the depth of the
eight queues, for which the round trips are counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

CALL_RATIO = 1.05  # at most, for a task of CALL_SECONDS
CALL_SECONDS = 0.25  # run time of the task that is called; a run without work is shown beside it
FLEET_RATIO = 0.5  # at most
FLEET = 10  # workers
ROUND_TRIPS = 1  # for the depth of all queues


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return 1 if a ratio is above its bound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.control", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="of each measurement (default: %(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="zumo-bench-") as folder:
        os.environ["ZUMO_HOME"] = folder
        return show(measure(options.rounds, Path(folder)))


def measure(rounds: int, folder: Path) -> list[dict[str, Any]]:
    """All measurements: `what`, `bare` and `ours` (seconds or counts), `ratio` and its `bound` (or None)."""
    from tests.services.valkey import valkey
    from zumolib.database import orm

    orm.migrate()
    with valkey() as url:
        place = url.rpartition("/")[0]
        return [*calls(rounds, place, folder), fleet(rounds, place, folder), depth(place)]


def calls(rounds: int, place: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Call to result, with work and without."""
    from tests.integration.workers import make_app, worker
    from zumolib import control

    broker = f"{place}/2"
    app = make_app(broker, place)
    app.loader.import_default_modules()
    task = app.tasks["tests.sleepy"]
    with worker(broker, place, folder / "worker.log") as node:
        known = control.catalog.tasks(app, nodes=[node])

        def ours(seconds: float) -> None:
            plan = control.call.plan(app, "tests.sleepy", [seconds], known=known)
            control.apply(plan, reason="benchmark")
            assert control.follow(app, plan.task_id, timeout=60).state == "SUCCESS"

        for seconds, bound in ((CALL_SECONDS, CALL_RATIO), (0.0, None)):
            bare, with_us = in_turn(
                rounds,
                lambda seconds=seconds: task.delay(seconds).get(timeout=60),  # type: ignore[misc]
                lambda seconds=seconds: ours(seconds),  # type: ignore[misc]
            )
            yield row(f"call to result, {seconds:g} s of work", bare, with_us, bound)


def fleet(rounds: int, place: str, folder: Path) -> dict[str, Any]:
    """Everything about ten workers, against one question to them by a broadcast."""
    from tests.integration import tiny
    from tests.services.processes import process

    url = f"{place}/3"
    app = tiny.make(url)
    nodes = [f"w{number}@bench" for number in range(FLEET)]
    with ExitStack() as workers:
        for node in nodes:
            words = [
                "celery",
                "-A",
                "tests.integration.tiny",
                "worker",
                "-P",
                "solo",
                "-n",
                node,
                "-l",
                "error",
            ]
            workers.enter_context(process(words, folder / "fleet.log", {"TINY_BROKER": url}))
        wait(lambda: not fleet.snapshot(app, nodes=nodes).silent, 120)
        bare, ours = in_turn(
            min(rounds, 10),
            lambda: complete(app.control.inspect().stats(), FLEET),
            lambda: complete(fleet.snapshot(app, nodes=nodes).replied, FLEET),
        )
    return row(f"snapshot of {FLEET} workers", bare, ours, FLEET_RATIO)


def depth(place: str) -> dict[str, Any]:
    """Commands sent to the broker for the depth of all queues, once connected."""
    from tests.integration.workers import make_app
    from zumolib.inspection.queues import Depths

    probe = Depths(make_app(f"{place}/2", place))
    probe.sample()
    with packets() as sent:
        assert len(probe.sample()) == 8
    probe.close()
    return {
        "what": "depth of 8 queues, round trips",
        "bare": float(ROUND_TRIPS),
        "ours": float(sent[0]),
        "ratio": sent[0] / ROUND_TRIPS,
        "bound": 1.0,
    }


@contextmanager
def packets() -> Iterator[list[int]]:
    """Counts what is sent to Redis or Valkey, a pipeline being sent once."""
    from redis.connection import AbstractConnection

    count = [0]
    send = AbstractConnection.send_packed_command

    def counted(self: Any, *arguments: Any, **options: Any) -> Any:
        count[0] += 1
        return send(self, *arguments, **options)

    AbstractConnection.send_packed_command = counted  # type: ignore[method-assign]
    try:
        yield count
    finally:
        AbstractConnection.send_packed_command = send  # type: ignore[method-assign]


def in_turn(
    rounds: int, first: Callable[[], object], second: Callable[[], object]
) -> tuple[list[float], list[float]]:
    """Seconds of both, each round of one followed by one of the other; the first round of each is left out."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for seconds, work in zip(taken, (first, second), strict=True):
            began = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - began)
    return taken[0][1:], taken[1][1:]


def row(what: str, bare: Sequence[float], ours: Sequence[float], bound: float | None) -> dict[str, Any]:
    """Medians and their ratio."""
    middle, our_middle = statistics.median(bare), statistics.median(ours)
    return {"what": what, "bare": middle, "ours": our_middle, "ratio": our_middle / middle, "bound": bound}


def complete(answer: Any, count: int) -> None:
    """Fail where not all answered, so that nothing incomplete is measured."""
    assert len(answer or ()) == count, f"{len(answer or ())} of {count} answered"


def wait(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not ready after {seconds} s"


def show(rows: Sequence[dict[str, Any]]) -> int:
    """Print the table; returns 1 where a ratio is above its bound."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("what")
    for column in ("bare", "ours", "ratio", "at most"):
        table.add_column(column, justify="right")
    table.add_column("")
    wrong = 0
    for found in rows:
        above = found["bound"] is not None and found["ratio"] > found["bound"]
        wrong += above
        table.add_row(
            found["what"],
            f"{found['bare']:.4f}",
            f"{found['ours']:.4f}",
            f"{found['ratio']:.2f}",
            "" if found["bound"] is None else f"{found['bound']:.2f}",
            "above" if above else "",
        )
    Console(width=120).print(table)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
