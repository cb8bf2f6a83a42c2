"""What the control room costs a kernel: `python -m benchmarks.live`.

It is refreshed as its page asks for it, every two seconds, on a real Valkey with two workers and the recorded
history of two days; processor time of this process is counted, which a busy machine does not change much.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

BOUND = 0.05  # of one core, at most
FIRST = 3  # refreshes that import, connect and fill caches


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return 1 if the share is above its bound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="to refresh for (default: %(default)s)")
    options = parser.parse_args(arguments)
    from tests.notebooks import frozen

    with tempfile.TemporaryDirectory(prefix="zumo-bench-") as folder, frozen(Path(folder)) as world:
        os.environ.update(world)
        share, refreshes = measure(options.seconds)
    print("| control room | refreshes | of a core | bound |\n|---|---:|---:|---:|")
    print(f"| every 2 s | {refreshes} | {share:.1%} | {BOUND:.0%} |")
    return int(share > BOUND)


def measure(seconds: float) -> tuple[float, int]:
    """Share of a core, and how many refreshes it was taken from."""
    from zumolib.database import orm
    from zumolib.room import ControlRoom, room, screen

    orm.migrate()
    watched = ControlRoom(live=False)
    for _ in range(FIRST):
        screen.sections(watched.read())
    begun, used, refreshes = time.monotonic(), time.process_time(), 0
    while time.monotonic() < begun + seconds:
        due = time.monotonic() + room.EVERY
        screen.sections(watched.read())
        refreshes += 1
        time.sleep(max(0.0, due - time.monotonic()))
    return (time.process_time() - used) / (time.monotonic() - begun), refreshes


if __name__ == "__main__":
    raise SystemExit(main())
