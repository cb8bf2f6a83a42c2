"""How the time and memory of each task grow with the data: `python -m benchmarks.tasks`.

Each scale has a platform of its own (SQLite in a temporary folder, a real Valkey, a mail sink and the payment
provider's stand-in in this process) and each task a process of its own, so that its memory is its own. All
tasks of a scale run one after the other on the same data, as on a platform on which time passes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import apart, mailsink

STEEPEST = 1.15  # growth exponent above which a task is marked
FLAT = 64.0  # MiB by which the peak memory of a task may grow between the first and the last scale
SHORT = 0.05  # seconds; what is faster at the largest scale is noise and start-up


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return 1 if a task grows too fast."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tasks", description=__doc__)
    parser.add_argument("--scales", default="1,10,100", help="of the demo data (default: %(default)s)")
    parser.add_argument("--only", default="", help="entries whose name contains this")
    parser.add_argument("--one", type=float, help=argparse.SUPPRESS)  # what is run in a child per scale
    options = parser.parse_args(arguments)
    if options.one is not None:
        print(json.dumps(measure(options.one, options.only)))
        return 0
    scales = sorted(float(scale) for scale in options.scales.split(","))
    found = [_in_child(scale, options.only) for scale in scales]
    return show(scales, found)


def _in_child(scale: float, only: str) -> dict[str, Any]:
    print(f"scale {scale:g} …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="zumo-bench-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.tasks", "--one", str(scale), "--only", only],
            env={**os.environ, "ZUMO_HOME": folder, "TMPDIR": folder},
            stdout=subprocess.PIPE,
            check=True,
        )
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


def measure(scale: float, only: str) -> dict[str, Any]:
    """Load the demo data at this scale, then run each task once; what each took, by name of its entry."""
    from zumolib import orm

    orm.ready()
    from django.db import connections

    from tasks import demo
    from tests.integration.tasks.calls import CALLS
    from tests.integration.tasks.conftest import NOW
    from tests.integration.tasks.databases import SQLite
    from tests.integration.tasks.platforms import Platforms
    from tests.services.valkey import valkey

    home = Path(tempfile.mkdtemp())
    with mailsink.serving() as port, valkey() as url:
        place = url.rpartition("/")[0]
        platforms = Platforms(SQLite(home), home / "templates", place, (mailsink.Sink(), port), NOW)
        with platforms.opened(platforms.empty(), home / "platform"):
            connections.close_all()
            runs = {"demo load": apart.run(lambda: demo.load(scale=scale, now=NOW)["loaded"])}
            rows = {call.name: call.row(NOW) for call in CALLS}
            connections.close_all()
            # What is called for one row comes first, before an entry's task takes up all that wait.
            for call in sorted(CALLS, key=lambda call: call.choice is None):
                if only in call.name:
                    runs[call.name] = apart.run(lambda call=call: call.run(NOW, rows[call.name]))  # type: ignore[misc]
    return {name: vars(run) for name, run in runs.items()}


def growth(scales: Sequence[float], seconds: Sequence[float]) -> float:
    """Exponent of the growth between the two largest scales, where start-up weighs least.

    It is the slope in a log-log plot: 1 is in proportion to the data, 2 its square.
    """
    if len(scales) < 2:
        return math.nan
    return math.log(seconds[-1] / seconds[-2]) / math.log(scales[-1] / scales[-2])


def show(scales: Sequence[float], found: Sequence[dict[str, Any]]) -> int:
    """Print the table; returns 1 where a task grows too fast, needs ever more memory, or failed."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("entry or task")
    for scale in scales:
        table.add_column(f"s at {scale:g}", justify="right")
    table.add_column("growth", justify="right")
    for scale in scales:
        table.add_column(f"MiB at {scale:g}", justify="right")
    table.add_column("")
    wrong = 0
    for name in found[0]:
        runs = [runs[name] for runs in found]
        seconds, mib = [run["seconds"] for run in runs], [run["mib"] for run in runs]
        exponent = growth(scales, seconds)
        marks = [] if name == "demo load" else _marks(exponent, seconds, mib, runs)
        wrong += bool(marks)
        table.add_row(
            name,
            *(f"{value:.3f}" for value in seconds),
            f"{exponent:.2f}",
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
