"""Whether the recorder's memory stays bounded: ``python -m benchmarks.memory``.

A recorder is given events as fast as it takes them. At some counts nothing more comes until all of them are
folded into records, and its resident memory is read then; the peak is that of the work before.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psutil

from benchmarks import feed
from benchmarks.consumers import Counter
from tests.services.valkey import Valkey
from zumolib.history import fold
from zumolib.history.manifest import newest
from zumolib.history.place import Folder, Place

GROWTH = 1.2  # by which the memory at the end may be above that after a tenth
SHARES = (0.1, 0.2, 0.5, 1.0)  # of the events
PORTION = 100_000  # events that wait at most


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if memory grows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    readings = measure([int(options.events * share) for share in SHARES])
    print(f"\n**Recorder's memory** over {options.events:,} events, on Valkey\n")
    print("| events, all folded | resident MiB | peak before |\n|--:|--:|--:|")
    for count, mib, peak in readings:
        print(f"| {count:,} | {mib:,.0f} | {peak:,.0f} |")
    growth = readings[-1][1] / readings[0][1]
    print(f"\nat the end {growth:.2f} times that after a tenth: {'yes' if growth <= GROWTH else 'NO'}")
    return 0 if growth <= GROWTH else 1


def measure(checkpoints: Sequence[int]) -> list[tuple[int, float, float]]:
    """At each of these counts of events: the count, MiB of the recorder's process at rest, and its peak before."""
    server = Valkey()
    with tempfile.TemporaryDirectory(prefix="zumo-bench-") as folder:
        try:
            server.start()
            bodies = feed.record(server.url, 500)
            with _recorder(server.url, Path(folder)) as (child, counter):
                place, sent = Folder(Path(folder) / "data"), 0
                found = []
                for checkpoint in checkpoints:
                    peak = 0.0
                    for portion, size in _portions(bodies, checkpoint - sent):
                        feed.publish(server.url, portion, stream=True)
                        sent += size
                        while counter.get() < sent - PORTION // 2:
                            peak = max(peak, _mib(child))
                            time.sleep(0.05)
                    while counter.get() < sent or not _at_rest(place):
                        peak = max(peak, _mib(child))
                        time.sleep(0.2)
                    found.append((sent, _mib(child), peak))
                    print(f"{sent:,} events: {found[-1][1]:,.0f} MiB", file=sys.stderr, flush=True)
                return found
        finally:
            server.remove()


def _at_rest(place: Place) -> bool:
    """Whether everything is folded and nobody works in the background."""
    with place.alone() as nobody:
        return nobody and not fold.waiting(place, newest(place))[0]


@contextmanager
def _recorder(url: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Counter]]:
    """A recorder's process, and its count of the events that it has on disk."""
    (folder / "data").mkdir()
    counter = Counter(folder / "counter", new=True)
    words = [sys.executable, "-m", "benchmarks.consumers", "zumo", url, str(folder / "counter"), "5"]
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(words, stderr=log)
    try:
        yield child, counter
    finally:
        if child.poll() is not None:
            print((folder / "log").read_text()[-3000:], file=sys.stderr)
        child.terminate()
        child.wait(60)


def _mib(child: subprocess.Popen[bytes]) -> float:
    if child.poll() is not None:
        raise RuntimeError("the recorder has ended; its words are above")
    return float(psutil.Process(child.pid).memory_info().rss / 2**20)


def _portions(bodies: Sequence[bytes], events: int) -> Iterator[tuple[list[bytes], int]]:
    made, size = feed.multiply(bodies, PORTION // 2)
    text = b"\n".join(made)
    while events > 0:
        # Ids that never came before, at the price of one replacement: those of a repetition share their tail.
        yield feed.renewed(text, uuid4().hex[:12].encode()).split(b"\n"), size
        events -= size


if __name__ == "__main__":
    raise SystemExit(main())
