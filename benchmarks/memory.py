"""Whether the recorder's memory stays bounded: ``python -m benchmarks.memory``.

A recorder is given events as fast as it takes them, and its resident memory is read as it goes on.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import psutil

from benchmarks import feed
from benchmarks.consumers import Counter
from tests.services.valkey import Valkey

GROWTH = 1.2  # by which the memory at the end may be above that after a tenth
PORTION = 100_000  # events that wait at most


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if memory grows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    readings = measure(options.events)
    tenth, end = level(readings, options.events // 10), level(readings, options.events)
    print(f"\n**Recorder's memory** over {options.events:,} events, on Valkey\n")
    print("| events | resident MiB |\n|--:|--:|")
    for share in (0.02, 0.1, 0.25, 0.5, 0.75, 1.0):
        print(f"| {int(options.events * share):,} | {level(readings, int(options.events * share)):,.0f} |")
    print(
        f"\nat the end {end / tenth:.2f} times that after a tenth: {'yes' if end <= GROWTH * tenth else 'NO'}"
    )
    return 0 if end <= GROWTH * tenth else 1


def level(readings: Sequence[tuple[int, float]], events: int) -> float:
    """MiB around this many events: the median of what was read in the tenth of them before."""
    near = [mib for count, mib in readings if 0.9 * events <= count <= 1.02 * events]
    return statistics.median(near)


def measure(events: int) -> list[tuple[int, float]]:
    """Events recorded so far, and MiB of the recorder's process then."""
    server = Valkey()
    readings: list[tuple[int, float]] = []
    try:
        server.start()
        bodies = feed.record(server.url, 500)
        with tempfile.TemporaryDirectory(prefix="zumo-bench-") as folder:
            (Path(folder) / "data").mkdir()
            counter = Counter(Path(folder) / "counter", new=True)
            words = [
                sys.executable,
                "-m",
                "benchmarks.consumers",
                "zumo",
                server.url,
                f"{folder}/counter",
                "5",
            ]
            child = subprocess.Popen(words, stderr=(Path(folder) / "log").open("wb"))
            process = psutil.Process(child.pid)
            try:
                sent = 0
                for portion, size in _portions(bodies, events):
                    feed.publish(server.url, portion, stream=True)
                    sent += size
                    readings.append((counter.get(), process.memory_info().rss / 2**20))
                    while counter.get() < sent - PORTION // 2 or (sent >= events and counter.get() < sent):
                        if child.poll() is not None:
                            raise RuntimeError((Path(folder) / "log").read_text()[-3000:])
                        readings.append((counter.get(), process.memory_info().rss / 2**20))
                        time.sleep(0.05)
                    if sent % 500_000 < size:
                        print(
                            f"{readings[-1][0]:,} events, {readings[-1][1]:,.0f} MiB",
                            file=sys.stderr,
                            flush=True,
                        )
                readings.append((counter.get(), process.memory_info().rss / 2**20))
            finally:
                child.terminate()
                child.wait(60)
    finally:
        server.remove()
    return readings


def _portions(bodies: Sequence[bytes], events: int) -> Iterator[tuple[list[bytes], int]]:
    made, size = feed.multiply(bodies, PORTION // 2)
    text = b"\n".join(made)
    while events > 0:
        # Ids that never came before, at the price of one replacement: those of a repetition share their tail.
        yield feed.renewed(text, uuid4().hex[:12].encode()).split(b"\n"), size
        events -= size


if __name__ == "__main__":
    raise SystemExit(main())
