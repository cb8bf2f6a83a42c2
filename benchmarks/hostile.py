"""What hostile messages cost the others: ``python -m benchmarks.hostile``.

A recorder on Valkey takes in the same good events with and without one message in a hundred that should not
have been sent, in turns. Its processor time counts, since it is what bounds its speed. The bar is 0.9 of the
speed without them.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import kombu
import psutil

from tests.integration import hostile
from tests.integration.hostile import Sent
from tests.services.processes import process
from tests.services.valkey import Valkey
from tests.waiting import wait_until
from zumolib.recorder import dispatcher

BAR = 0.9
ONE_IN = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where the bar is not reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("--events", type=int, default=60_000, help="good ones (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=11, help="of both (default: %(default)s)")
    options = parser.parse_args(arguments)
    server = Valkey()
    try:
        server.start()
        without, among = [], []
        for turn in range(options.rounds):
            for share, seconds in ((0, without), (ONE_IN, among))[:: -1 if turn % 2 else 1]:
                seconds.append(_seconds(server.url, options.events, share))
    finally:
        server.remove()
    ratio = statistics.median(without) / statistics.median(among)
    spread = ", ".join(f"{min(times):.2f} to {max(times):.2f}" for times in (without, among))
    print(
        f"speed with 1 % hostile messages: {ratio:.2f} of that without ({spread} s of a processor), "
        f"{options.events:,} events, {options.rounds} rounds; the bar is {BAR}"
    )
    return 0 if ratio >= BAR else 1


def _messages(count: int, one_in: int) -> Iterator[Sent]:
    chance, now = random.Random(1), time.time()
    for number in range(count):
        yield hostile.good(f"good-{number}", now)
        if one_in and number % one_in == 0:
            yield hostile.small(chance, now)


def _seconds(url: str, count: int, one_in: int) -> float:
    """Processor seconds of a recorder for so many good events."""
    with tempfile.TemporaryDirectory() as folder, kombu.Connection(url) as connection:
        channel: Any = connection.default_channel
        state = Path(folder) / "history" / "recorder-one.json"
        words = ["tests.integration.record", url, str(state.parent), "one"]
        with channel.conn_or_acquire() as client, process(words, Path(folder) / "log") as child:
            wait_until(lambda: _said(state).get("state") == "recording", 60, "it records")
            before, key = sum(psutil.Process(child.pid).cpu_times()[:2]), dispatcher.stream_key(channel)
            pipe = client.pipeline(transaction=False)
            for sent in _messages(count, one_in):
                pipe.execute_command("XADD", key, "*", dispatcher.FIELD, sent.body)
            pipe.execute()
            wait_until(lambda: _said(state).get("events", 0) >= count, 120, "all are recorded")
            return sum(psutil.Process(child.pid).cpu_times()[:2]) - before


def _said(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


if __name__ == "__main__":
    raise SystemExit(main())
