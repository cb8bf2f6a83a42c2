"""What a longer history costs: `python -m benchmarks.growth`.

One, ten and a hundred million task records over 3, 30 and 300 days, so that a day always holds as many: the time
of one day's and of the last hour's latency by task, in alternating rounds. Returns 1 when one day in the largest
history takes more than 1.2 times as long as in the one a tenth its size.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import query
from zumolib.frames import tasks
from zumolib.frames.window import Window

A_DAY = 333_333  # records
STEEPEST = 1.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument(
        "--records", default="1000000,10000000,100000000", help="sizes to compare (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=15, help="counted ones (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="keep the histories here, or use those that are there")
    options = parser.parse_args(arguments)
    sizes = sorted(int(size) for size in options.records.split(","))
    with tempfile.TemporaryDirectory(prefix="zumo-bench-") as temporary:
        return show(sizes, measure(options.folder or Path(temporary), sizes, options.rounds))


def measure(folder: Path, sizes: Sequence[int], rounds: int) -> dict[int, dict[str, float]]:
    """Median seconds by size and window, with the number of files and bytes."""
    spans = {size: max(1, round(size / A_DAY)) for size in sizes}
    histories = {size: query.opened(folder / f"{size}", size, days) for size, days in spans.items()}
    taken: dict[int, dict[str, list[float]]] = {size: {} for size in sizes}
    for window in ("one day", "last hour"):
        for _ in range(rounds + 1):
            for size, history in histories.items():
                start, end = query.windows(spans[size])[window]
                began = time.perf_counter()
                tasks.latency(history, Window(start, end))
                taken[size].setdefault(window, []).append(time.perf_counter() - began)
    found: dict[int, dict[str, float]] = {}
    for size, history in histories.items():
        coverage = history.coverage()
        found[size] = {"days": spans[size], "files": coverage.files, "bytes": coverage.bytes}
        found[size] |= {window: statistics.median(times[1:]) for window, times in taken[size].items()}
    return found


def show(sizes: Sequence[int], found: dict[int, dict[str, float]]) -> int:
    """Print the table as Markdown; returns 1 where the largest takes too long."""
    base = found[sizes[max(len(sizes) - 2, 0)]]
    print("\n| records | days | files | on disk | one day | last hour |\n|---|---|---|---|---|---|")
    for size in sizes:
        its = found[size]
        cells = [f"{query.said(its[w])} ({its[w] / base[w]:.2f})" for w in ("one day", "last hour")]
        print(
            f"| {size:,} | {its['days']:,} | {its['files']:,} | {its['bytes'] / 1e9:.2f} GB | {' | '.join(cells)} |"
        )
    steep = found[sizes[-1]]["one day"] / base["one day"] > STEEPEST
    print(f"\nIn brackets: times the second largest. {'Too steep.' if steep else 'Every bar is met.'}")
    return 1 if steep else 0


if __name__ == "__main__":
    raise SystemExit(main())
