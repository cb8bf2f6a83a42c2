"""How fast events are taken in, at what cost, and whether a burst is: ``python -m benchmarks.ingest``.

The event messages of a real worker are recorded once. Each consumer is a process of its own; it is
stopped, the broker is given all messages, and the time counts from the moment that it may go on: so what
publishes takes nothing from what is measured. All take turns, several times; the medians are shown, and
how far the runs lie apart. For the burst they run while messages are published as fast as the broker takes
them, with Celery's and the brokers' own limits.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import kombu
import psutil

from benchmarks import feed
from benchmarks.consumers import KINDS, NAMES, Counter
from tests.services.rabbitmq import RabbitMQ
from tests.services.valkey import Valkey

BROKERS = {"RabbitMQ": RabbitMQ, "Valkey": Valkey}
LONG, USUAL = 3_600.0, 5.0  # seconds that an event may wait in a queue of Celery's, which by default are 5
QUIET = 7.0  # seconds without progress after which nothing more comes


@dataclass(frozen=True)
class Run:
    """What one run of one consumer took."""

    rate: float  # events a second
    cpu: float  # seconds for 100,000 events
    mib: float  # peak


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a bar is not reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="of a run (default: %(default)s)")
    parser.add_argument(
        "--burst", type=int, default=100_000, help="events of the burst (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of all consumers (default: %(default)s)")
    parser.add_argument(
        "--tasks", type=int, default=1_500, help="that the worker runs (default: %(default)s)"
    )
    parser.add_argument("--only", default=",".join(KINDS), help="consumers (default: %(default)s)")
    parser.add_argument("--brokers", default=",".join(BROKERS), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    kinds = options.only.split(",")
    return max(_measure(name, BROKERS[name], kinds, options) for name in options.brokers.split(","))


def _measure(name: str, kind_of: Any, kinds: list[str], options: Any) -> int:
    server = kind_of()
    try:
        server.start()
        _say(f"{name}: a worker runs {options.tasks:,} tasks …")
        bodies = feed.record(server.url, options.tasks)
        batch = sum(map(feed.size, bodies)) / len(bodies)
        messages, events = feed.multiply(bodies, options.events)
        runs: dict[str, list[Run]] = {kind: [] for kind in kinds}
        for number in range(options.rounds):
            for kind in kinds[number % len(kinds) :] + kinds[: number % len(kinds)]:
                runs[kind].append(_run(kind, server.url, messages, events))
                _say(f"{name}: {kind} {runs[kind][-1]}")
        burst, sent = feed.multiply(bodies, options.burst)
        lost = {}
        for kind in kinds if options.burst else ():
            lost[kind] = _burst(kind, server.url, burst, sent)
            _say(f"{name}: {kind} lost {lost[kind][0]:,} of {sent:,}")
    finally:
        server.remove()
    return _show(name, runs, lost, events, batch, sent)


def _run(kind: str, url: str, messages: list[bytes], events: int) -> Run:
    with _consumer(kind, url, LONG, unlimited=True) as (child, counter):
        base = counter.get()
        os.kill(child.pid, signal.SIGSTOP)
        _publish(kind, url, messages)
        before, began = _cpu(child), time.perf_counter()
        os.kill(child.pid, signal.SIGCONT)
        reached = base
        moved = time.perf_counter()
        while reached < base + events and time.perf_counter() - moved < 30:
            time.sleep(0.005)
            if counter.get() != reached:
                reached, moved = counter.get(), time.perf_counter()
        if reached < base + events:
            raise RuntimeError(f"{kind} stopped {base + events - reached} events before the end")
        seconds, cpu = moved - began, _cpu(child) - before
        return Run(events / seconds, cpu * 100_000 / events, _peak(child))


def _burst(kind: str, url: str, messages: list[bytes], events: int) -> tuple[int, float]:
    """Events lost, and how many a second were published."""
    with _consumer(kind, url, USUAL, unlimited=False) as (_, counter):
        base = counter.get()
        seconds = _publish(kind, url, messages)
        reached, moved = base, time.perf_counter()
        while reached < base + events and time.perf_counter() - moved < QUIET:
            time.sleep(0.05)
            if counter.get() != reached:
                reached, moved = counter.get(), time.perf_counter()
        return base + events - reached, events / seconds


@contextmanager
def _consumer(
    kind: str, url: str, ttl: float, *, unlimited: bool
) -> Iterator[tuple[psutil.Process, Counter]]:
    """A consumer that has seen an event."""
    _clear(url, unlimited=unlimited)
    with tempfile.TemporaryDirectory(prefix="zumo-bench-") as folder:
        (Path(folder) / "data").mkdir()
        counter = Counter(Path(folder) / "counter", new=True)
        words = [sys.executable, "-m", "benchmarks.consumers", kind, url, f"{folder}/counter", str(ttl)]
        with (Path(folder) / "log").open("wb") as log:
            child = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 60
            while not counter.get():
                probe = b'{"type": "task-sent", "uuid": "%s", "timestamp": %f, "hostname": "bench@probe"}'
                feed.publish(url, [probe % (str(uuid4()).encode(), time.time())], stream=kind == "zumo")
                time.sleep(0.5)
                if time.monotonic() > until or child.poll() is not None:
                    raise RuntimeError((Path(folder) / "log").read_text()[-3000:])
            time.sleep(2.5)  # what is on its way arrives, and what a start costs is over
            yield psutil.Process(child.pid), counter
        finally:
            child.send_signal(signal.SIGCONT)
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _clear(url: str, *, unlimited: bool) -> None:
    """Nothing is left of the run before; on Valkey, a subscriber may or may not lag as far as it likes."""
    with kombu.Connection(url) as connection:
        if not url.startswith("redis"):
            connection.channel().queue_delete("celeryev.zumo")
            return
        with connection.default_channel.conn_or_acquire() as client:
            client.flushall()
            client.config_set(
                "client-output-buffer-limit", "pubsub 0 0 0" if unlimited else "pubsub 32mb 8mb 60"
            )


def _publish(kind: str, url: str, messages: list[bytes]) -> float:
    words = [sys.executable, "-m", "benchmarks.feed", url, *(["stream"] if kind == "zumo" else [])]
    done = subprocess.run(words, input=b"\n".join(messages), stdout=subprocess.PIPE, check=True)
    return float(done.stdout)


def _cpu(child: psutil.Process) -> float:
    times = child.cpu_times()
    return float(times.user + times.system)


def _peak(child: psutil.Process) -> float:
    for line in Path(f"/proc/{child.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the kernel does not tell the peak memory of {child.pid}")


def _show(
    name: str,
    runs: dict[str, list[Run]],
    lost: dict[str, tuple[int, float]],
    events: int,
    batch: float,
    sent: int,
) -> int:
    def median(kind: str, what: str) -> float:
        return statistics.median(getattr(run, what) for run in runs[kind])

    print(f"\n**{name}**: {events:,} events, {batch:.1f} a message; burst of {sent:,}\n")
    print(
        "| consumer | events/s | apart | × kombu | CPU s / 100k | of Flower's | peak MiB | lost in the burst |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for kind, found in runs.items():
        rates = [run.rate for run in found]
        of_kombu = f"{median(kind, 'rate') / median('kombu', 'rate'):.2f}" if "kombu" in runs else ""
        of_flower = f"{median(kind, 'cpu') / median('flower', 'cpu'):.2f}" if "flower" in runs else ""
        gone = f"{lost[kind][0]:,} ({lost[kind][0] / sent:.0%})" if kind in lost else ""
        print(
            f"| {NAMES[kind]} | {median(kind, 'rate'):,.0f} | ±{(max(rates) - min(rates)) / 2 / median(kind, 'rate'):.0%} "
            f"| {of_kombu} | {median(kind, 'cpu'):.2f} | {of_flower} | {median(kind, 'mib'):,.0f} | {gone} |"
        )
    if not {"zumo", "flower", "kombu"} <= runs.keys():
        return 0
    bars = {
        "as fast as kombu alone": median("zumo", "rate") / median("kombu", "rate") >= 1.0,
        "three times as fast as Flower": median("zumo", "rate") / median("flower", "rate") >= 3.0,
        "a quarter of Flower's CPU": median("zumo", "cpu") / median("flower", "cpu") <= 0.25,
        "none lost": not lost or lost["zumo"][0] == 0,
    }
    print("\n" + "; ".join(f"{bar}: {'yes' if reached else 'NO'}" for bar, reached in bars.items()))
    return 0 if all(bars.values()) else 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
