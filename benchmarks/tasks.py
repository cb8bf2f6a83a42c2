"""How the time and memory of each task grow with the data: `python -m benchmarks.tasks`.

Each task has a process of its own, so that its memory is its own, and a platform of its own (SQLite in a
temporary folder, a real Valkey, a mail sink and the payment provider's stand-in), which begins as a copy of the
loaded one, so that each finds all the work that there is.

What is compared is the time that the processor works for a task, not the time by the clock, since the machine
may have other work, which makes a clock tell more about that than about the task. SQLite works in the task's
process, so its queries count; the mail server and the provider do not. What takes less than a second is done
several times and the least counts, since what comes on top of it is disturbance.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import apart, datasets

STEEPEST = 1.15  # growth exponent above which a task is marked
FLAT = 64.0  # MiB by which the peak memory of a task may grow between the first and the last scale
SHORT = 0.05  # seconds; what is faster at the largest scale is noise and start-up
LOAD = "demo load"
LONG = 1.0  # seconds from which a task is measured once: disturbances weigh little


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return 1 if a task grows too fast."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tasks", description=__doc__)
    parser.add_argument("--scales", default="1,10,100", help="of the demo data (default: %(default)s)")
    parser.add_argument("--only", default="", help="entries whose name contains one of these: a,b")
    parser.add_argument(
        "--rounds", type=int, default=3, help="of short tasks, the best counts (default: %(default)s)"
    )
    parser.add_argument(
        "--keep", type=Path, help="folder for loaded data, which the next measurement uses again"
    )
    parser.add_argument("--json", action="store_true", help="print what was measured, and no table")
    parser.add_argument("--show", type=Path, nargs="+", help="print the table of files that --json made")
    parser.add_argument("--one", type=float, help=argparse.SUPPRESS)  # what is run in a child per scale
    options = parser.parse_args(arguments)
    if options.one is not None:
        print(json.dumps(measure(options.one, options.only.split(","), options.rounds, options.keep)))
        return 0
    if options.show:
        parts: dict[str, dict[str, Any]] = {}
        for path in options.show:
            for scale, runs in json.loads(path.read_text()).items():
                parts.setdefault(scale, {}).update(runs)
        scales = sorted(map(float, parts))
        return show(scales, [parts[str(scale)] for scale in scales])
    scales = sorted(float(scale) for scale in options.scales.split(","))
    found = [_in_child(scale, options) for scale in scales]
    if options.json:
        print(json.dumps(dict(zip(map(str, scales), found, strict=True)), indent=1))
        return 0
    return show(scales, found)


def _in_child(scale: float, options: argparse.Namespace) -> dict[str, Any]:
    print(f"scale {scale:g} …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="zumo-bench-") as folder:
        kept = (options.keep or Path(folder) / "kept").absolute()
        words = [
            "--one",
            str(scale),
            "--only",
            options.only,
            "--rounds",
            str(options.rounds),
            "--keep",
            str(kept),
        ]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.tasks", *words],
            env={**os.environ, "ZUMO_HOME": folder, "TMPDIR": folder},
            stdout=subprocess.PIPE,
            check=True,
        )
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


def measure(scale: float, only: Sequence[str], rounds: int, kept: Path) -> dict[str, Any]:
    """Load the demo data at this scale and run each task on it; what each took, by name of its entry."""
    from zumolib.database import orm

    orm.ready()
    from tests.integration.tasks.calls import CALLS

    with datasets.platforms(Path(tempfile.mkdtemp())) as making:
        template, load = datasets.loaded(making, scale, kept)
        found = {LOAD: load}
        for call in CALLS:
            if any(part in call.name for part in only):
                found[call.name] = best(_runs(making, template, call, rounds))
                print(f"  {call.name}: {found[call.name].cpu:.3f} s", file=sys.stderr, flush=True)
    return {name: vars(run) for name, run in found.items()}


def _runs(making: Any, template: Any, call: Any, rounds: int) -> Iterator[apart.Run]:
    """Up to `rounds` runs of one task, each on a platform of its own."""
    from django.db import connections

    for _ in range(rounds):
        folder = Path(tempfile.mkdtemp())
        with making.opened(template, folder):
            row = call.row(making.now)
            connections.close_all()
            run = apart.run(lambda: call.run(making.now, row))  # noqa: B023 - run at once
        shutil.rmtree(folder)
        yield run
        if run.cpu > LONG:
            return


def best(runs: Iterable[apart.Run]) -> apart.Run:
    """The least disturbed of several runs of a task; the most memory of all; one that failed, if there is one."""
    runs = list(runs)
    chosen = min(runs, key=lambda run: (not run.error, run.cpu))
    return replace(chosen, mib=max(run.mib for run in runs))


def growth(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Exponent of the growth between the two largest sizes, where start-up weighs least.

    It is the slope in a log-log plot: 1 is in proportion to the size, 2 its square.
    """
    if len(sizes) < 2 or not all(seconds[-2:]):
        return math.nan
    return math.log(seconds[-1] / seconds[-2]) / math.log(sizes[-1] / sizes[-2])


def letters(scales: Sequence[float], runs: Sequence[dict[str, Any]]) -> list[int]:
    """How many letters a task sent, where these grow faster than the data: what its time is held against.

    Each of a tenant's HR people gets a letter for each day on which something is to be done, and large tenants
    have more of both.
    """
    sent = [run["result"].get("mailed", 0) if isinstance(run["result"], dict) else 0 for run in runs]
    faster = len(sent) > 1 and all(sent) and sent[-1] / sent[-2] > scales[-1] / scales[-2]
    return sent if faster else []


def show(scales: Sequence[float], found: Sequence[dict[str, Any]]) -> int:
    """Print the table; returns 1 where a task grows too fast, needs ever more memory, or failed."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("entry or task")
    for scale in scales:
        table.add_column(f"s at {scale:g}", justify="right")
    table.add_column("growth", justify="right")
    table.add_column("against letters", justify="right")
    for scale in scales:
        table.add_column(f"MiB at {scale:g}", justify="right")
    table.add_column("")
    wrong = 0
    for name in (name for name in found[0] if all(name in runs for runs in found)):
        runs = [runs[name] for runs in found]
        seconds, mib = [run["cpu"] for run in runs], [run["mib"] for run in runs]
        sent = letters(scales, runs)
        exponent = growth(sent or scales, seconds)
        marks = [] if name == LOAD else _marks(exponent, seconds, mib, runs)
        wrong += bool(marks)
        table.add_row(
            name,
            *(f"{value:.3f}" for value in seconds),
            f"{exponent:.2f}",
            " → ".join(f"{count:,}" for count in sent),
            *(f"{value:.0f}" for value in mib),
            ", ".join(marks),
        )
    console = Console()
    if not console.is_terminal:
        console.width = 160
    console.print(table)
    return 1 if wrong else 0


def _marks(
    exponent: float, seconds: Sequence[float], mib: Sequence[float], runs: Sequence[dict[str, Any]]
) -> list[str]:
    marks = [run["error"].splitlines()[-1][:80] for run in runs if run["error"]][:1]
    if exponent > STEEPEST and seconds[-1] > SHORT:
        marks.append(f"above {STEEPEST}")
    if mib[-1] - mib[0] > FLAT:
        marks.append("memory grows")
    return marks


if __name__ == "__main__":
    raise SystemExit(main())
