"""What hours under load are judged by: growth of memory, handles and files, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.endurance import footprint, growth

MB = growth.MB
HOUR = 3_600.0


def samples(kind: str, name: str, measure: str, value: Callable[[float], float]) -> pd.DataFrame:
    """One measure for two hours, a sample every 30 s; `value` of the share of the time that is over."""
    rows = [(30.0 * n, kind, name, measure, value(n / 240)) for n in range(241)]
    return pd.DataFrame(rows, columns=["seconds", "kind", "name", "measure", "value"])


# what it is, its values over the time, what is said of it
CASES = {
    "memory that stays": ("process", "worker", "rss", lambda t: 200 * MB, ""),
    "memory that warms up": ("process", "worker", "rss", lambda t: (100 + 400 * min(t, 0.2)) * MB, ""),
    "memory that leaks": ("process", "worker", "rss", lambda t: (200 + 50 * t) * MB, "grew by 13%"),
    "memory of one peak": ("process", "worker", "rss", lambda t: (900 if t == 0.9 else 200) * MB, ""),
    "little memory, some pages more": ("process", "mail", "rss", lambda t: (5 + t) * MB, ""),
    "Valkey's memory that leaks": ("valkey", "server", "used_memory", lambda t: (5 + 9 * t) * MB, "grew by 67%"),
    "handles that stay": ("process", "beat", "handles", lambda t: 20 + round(t * 240) % 3, ""),
    "handles that leak": ("process", "beat", "handles", lambda t: 20 + 20 * t, "rose by 11, 5 may be"),
    "threads that leak": ("process", "beat", "threads", lambda t: 3 + 8 * t, "rose by 4, 2 may be"),
    "threads of a moment, oftener now": (
        *("process", "recorder", "threads", lambda t: 13 if t > 0.7 and round(t * 240) % 3 else 5, ""),
    ),
    "keys that leak": ("valkey", "broker", "keys", lambda t: 20 + 600 * t, "rose by 322, 200 may be"),
    "a service that started again": ("process", "beat", "pid", lambda t: 7 + (t > 0.5), "started 2 times"),
    "a folder within its bound": ("folder", "log", "files", lambda t: 8 + 28 * t, ""),
    "a folder above its bound": ("folder", "log", "files", lambda t: 8 + 40 * t, "48, 36 may be"),
    "a folder that keeps its pace": ("folder", "history", "bytes", lambda t: 20 * MB * t, ""),
    "a folder that does not": (
        *("folder", "history", "bytes", lambda t: 100 * MB * t),
        "grew by 50000000 in half the time, 20000000 an hour may be",
    ),
    "a folder that nobody named": (
        *("folder", "leaks", "files", lambda t: 240 * t),
        "grew by 120 in half the time, 60 an hour may be",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "measure", "value", "problem"), CASES.values(), ids=CASES)
def test_says_what_grew(
    kind: str, name: str, measure: str, value: Callable[[float], float], problem: str
) -> None:
    [row] = growth.table(samples(kind, name, measure, value)).to_dict("records")
    assert row["problem"] == problem


def test_a_process_that_went_is_a_problem() -> None:
    both = pd.concat(
        [
            samples("process", "beat", "rss", lambda _: 100 * MB).query("seconds < 5_000"),
            samples("process", "worker", "rss", lambda _: 100 * MB),
        ],
        ignore_index=True,
    )
    table = growth.table(both).set_index("name")
    assert table.problem.to_dict() == {"beat": "not there in the last quarter", "worker": ""}


def test_a_pools_time_is_counted_once() -> None:
    # Half an hour of processor in a pool's process that has ended: its parent's since then.
    both = pd.concat(
        [
            samples("process", "worker", "cpu", lambda t: 10 + (HOUR / 2 if t > 0.5 else 0)),
            samples("process", "worker pool", "cpu", lambda t: 0 if t > 0.5 else HOUR * t),
        ],
        ignore_index=True,
    )
    assert growth.cpu(both) == {"worker": pytest.approx(0.25)}


def test_an_empty_folder_is_counted_as_well(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "log" / "old").mkdir(parents=True)
    for path in (tmp_path / "a", tmp_path / "log" / "b", tmp_path / "log" / "old" / "c"):
        path.write_text("four")
    found = {(reading.name, reading.measure): reading.value for reading in footprint.folders(tmp_path)}
    assert found == {
        ("tmp", "files"): 0,
        ("tmp", "bytes"): 0,
        ("log", "files"): 2,
        ("log", "bytes"): 8,
        ("(home)", "files"): 1,
        ("(home)", "bytes"): 4,
    }
