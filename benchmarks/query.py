"""How fast a frame answers: `python -m benchmarks.query`.

Ten million task records over thirty days are generated as a recorder leaves them, and `frames.tasks.latency`
by task is asked for the last hour, one day and all days; so are a hand-written DuckDB query on the same files,
pandas, PostgreSQL and SQLite with an index made for it. Rounds alternate, the first is not counted, the median
is; the answers are compared too. Returns 1 when a bar is missed: 1.3 times the hand-written query, a tenth of
PostgreSQL's time, 50 ms for the last hour.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import generated, rivals
from benchmarks.rivals import Answer, Files, Rival, TooSlow
from zumolib.frames import tasks
from zumolib.frames.window import Window
from zumolib.history import History

FLOOR, POSTGRESQL, HOUR = 1.3, 10.0, 0.050  # the bars: at most, at least, seconds
PATIENCE = 20.0  # seconds; what takes longer is asked twice only


@dataclass
class Asked:
    """One of those who answer, and how long it took them."""

    name: str
    ask: Callable[[datetime, datetime, float], Any]
    answer: Callable[[Any], Answer]
    seconds: dict[str, list[float]] = field(default_factory=dict)  # by window
    gave_up: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)

    def median(self, window: str) -> float:
        """Seconds of the counted rounds; of the only one, if it was slow."""
        taken = self.seconds[window]
        return statistics.median(taken[1:] or taken)

    def has_patience(self, window: str) -> bool:
        taken = self.seconds.get(window, [])
        return window not in self.gave_up and (len(taken) < 2 or taken[-1] < PATIENCE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.query", description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000, help="(default: %(default)s)")
    parser.add_argument("--days", type=int, default=30, help="that they lie in (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="counted ones (default: %(default)s)")
    parser.add_argument("--rivals", default=",".join(rivals.RIVALS), help="(default: %(default)s)")
    parser.add_argument(
        "--limit", type=float, default=120, help="seconds for one question (default: %(default)s)"
    )
    parser.add_argument("--folder", type=Path, help="keep the history here, or use the one that is there")
    options = parser.parse_args(arguments)
    chosen = rivals.names(options.rivals)
    with tempfile.TemporaryDirectory(prefix="zumo-bench-") as temporary:
        history = opened(options.folder or Path(temporary, "history"), options.records, options.days)
        asked = measure(history, options.days, chosen, options.rounds, options.limit)
    return show(asked, options.records, options.days)


def opened(folder: Path, records: int, days: int) -> History:
    """The history of that folder, generated if it is not there."""
    if not (folder / "tasks").exists():
        began = time.perf_counter()
        generated.make(folder, records, days)
        say(f"generated {records:,} records in {time.perf_counter() - began:.0f} s")
    return History(folder)


def windows(days: int) -> dict[str, tuple[datetime, datetime]]:
    """What is asked: all ends with the history, but for the one day, which lies within."""
    end = generated.END
    middle = end - (days // 2) * generated.DAY
    return {
        "last hour": (end - timedelta(hours=1), end),
        "one day": (middle - generated.DAY, middle),
        f"all {days} days": (end - days * generated.DAY, end),
    }


def ours(history: History) -> Asked:
    """The frame, as a notebook asks for it."""

    def ask(start: datetime, end: datetime, limit: float) -> Any:
        return tasks.latency(history, Window(start, end))

    def answer(found: Any) -> Answer:
        columns = [f"{m}_{q}" for m in tasks.DURATIONS for q in tasks.QUANTILES]
        rows = found[["name", "count", "failures", *columns]].itertuples(index=False)
        return {row[0]: tuple(row[1:]) for row in rows}

    return Asked("frames.tasks.latency", ask, answer)


def measure(history: History, days: int, chosen: Sequence[str], rounds: int, limit: float) -> list[Asked]:
    """Ask everybody in turn, round by round."""
    files, loaded = Files(Path(history.root)), list[Rival]()
    try:
        asked = [ours(history)]
        for name in chosen:
            began = time.perf_counter()
            rival = rivals.RIVALS[name](files)
            loaded.append(rival)
            asked.append(Asked(rival.name, rival.ask, rival.answer))
            say(f"loaded {rival.name} in {time.perf_counter() - began:.0f} s")
        for window, (start, end) in windows(days).items():
            say(f"asking for the {window}" if "all" not in window else f"asking for {window}")
            for _ in range(rounds + 1):
                truth: Answer = {}
                for one in (one for one in asked if one.has_patience(window)):
                    began = time.perf_counter()
                    try:
                        found = one.ask(start, end, limit)
                    except TooSlow:
                        one.gave_up.add(window)
                        found = None
                    one.seconds.setdefault(window, []).append(time.perf_counter() - began)
                    if found is not None:
                        told = one.answer(found)
                        truth = truth or told
                        if not rivals.same(truth, told):
                            one.wrong.add(window)
        return asked
    finally:
        for rival in loaded:
            rival.close()


def show(asked: Sequence[Asked], records: int, days: int) -> int:
    """Print the table as Markdown; returns 1 where a bar is missed or an answer differs."""
    frame, *others = asked
    print(f"\n{records:,} task records over {days} days: latency by task\n")
    print(f"| window | {frame.name} | " + " | ".join(other.name for other in others) + " |")
    print("|---" * (len(asked) + 1) + "|")
    for window in frame.seconds:
        base = frame.median(window)
        cells = [_cell(other, window, base) for other in others]
        print(f"| {window} | {said(base)} | " + " | ".join(cells) + " |")
    missed = misses(asked)
    print("\nIn brackets: how many times as long as the frame. " + ("; ".join(missed) or "Every bar is met."))
    return 1 if missed else 0


def _cell(other: Asked, window: str, base: float) -> str:
    seconds = other.median(window)
    more = "over " if window in other.gave_up else ""
    return f"{more}{said(seconds)} ({more}{seconds / base:.2g})"


def misses(asked: Sequence[Asked]) -> list[str]:
    """Which bars are missed, in words."""
    frame, *others = asked
    found = [
        f"{one.name} answers otherwise for the {window}" for one in asked for window in sorted(one.wrong)
    ]
    for window in frame.seconds:
        base = frame.median(window)
        if window == "last hour" and base > HOUR:
            found.append(f"the last hour took {said(base)}, more than {said(HOUR)}")
        for other in others:
            ratio = other.median(window) / base
            if other.name.startswith("hand-written") and window != "last hour" and 1 / ratio > FLOOR:
                found.append(f"the {window}: {1 / ratio:.2f} times the {other.name}")
            if other.name.startswith("PostgreSQL") and window != "last hour" and ratio < POSTGRESQL:
                found.append(f"the {window}: only {ratio:.1f} times as fast as {other.name}")
    return found


def said(seconds: float) -> str:
    """A duration to three digits."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def say(text: str) -> None:
    """Progress, apart from the result."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
