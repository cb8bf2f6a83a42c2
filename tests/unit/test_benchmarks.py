"""The measurements' own arithmetic: exponents, marks, and runs in a process of their own."""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import apart, control, datasets, tasks

# scales, seconds, exponent of growth between the last two
GROWTH = [
    ((1, 10), (0.1, 1.0), 1.0),
    ((1, 10), (0.1, 10.0), 2.0),
    ((1, 10), (0.5, 0.5), 0.0),
    ((1, 10, 100), (9.0, 1.0, 10.0), 1.0),
    ((2, 8), (1.0, 8.0), 1.5),
]


@pytest.mark.parametrize(("scales", "seconds", "exponent"), GROWTH)
def test_growth_is_the_slope_between_the_largest_two(
    scales: tuple[float, ...], seconds: tuple[float, ...], exponent: float
) -> None:
    assert tasks.growth(scales, seconds) == pytest.approx(exponent)


def test_one_scale_has_no_growth() -> None:
    assert math.isnan(tasks.growth((1,), (0.1,)))


def run(seconds: float, mib: float = 1.0, error: str = "", mailed: int = 0) -> dict[str, Any]:
    return {"seconds": 9.9, "cpu": seconds, "mib": mib, "result": {"mailed": mailed}, "error": error}


# what the first and the second scale gave, what the table says of it
MARKS = [
    (run(0.1), run(1.0), ""),
    (run(0.1), run(1.6), "above 1.15"),
    (run(0.001), run(0.04), ""),  # so short that it tells nothing
    (run(0.1, mailed=10), run(1.6, mailed=160), ""),  # more letters, and no more work for each
    (run(0.1, mailed=10), run(3.2, mailed=160), "above 1.15"),
    (run(0.1, mailed=10), run(1.6, mailed=50), "above 1.15"),  # fewer letters excuse nothing
    (run(0.1, 3), run(1.0, 80), "memory grows"),
    (run(0.1), run(0.1, error="Traceback …\nValueError: no"), "ValueError: no"),
]


@pytest.mark.parametrize(("first", "second", "mark"), MARKS)
def test_what_is_out_of_bounds_is_marked(
    first: dict[str, Any], second: dict[str, Any], mark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = tasks.show((1, 10), [{"it": first}, {"it": second}])
    line = capsys.readouterr().out.splitlines()[1]
    assert code == (1 if mark else 0)
    assert line.strip().endswith(mark or f"{second['mib']:.0f}")


def test_what_was_measured_in_parts_is_shown_in_one_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = (
        {"1.0": {"it": run(0.1), "other": run(0.1)}},
        {"10.0": {"it": run(1.0)}},
        {"10.0": {"other": run(2.0)}},
    )
    files = [tmp_path / f"{number}.json" for number in range(len(measured))]
    for file, part in zip(files, measured, strict=True):
        file.write_text(json.dumps(part))
    assert tasks.main(["--show", *map(str, files)]) == 1
    _, one, other = capsys.readouterr().out.splitlines()
    assert one.split()[:4] == ["it", "0.100", "1.000", "1.00"]
    assert other.strip().endswith("above 1.15")


def test_a_run_apart_keeps_its_memory_and_its_errors_to_itself() -> None:
    big = apart.run(lambda: len(bytearray(os.urandom(1)) * 50_000_000))
    assert big.result == 50_000_000
    assert big.mib > 40
    assert 0 < big.cpu < big.seconds * 2
    failed = apart.run(lambda: 1 / 0)
    assert failed.error.endswith("ZeroDivisionError: division by zero")
    assert apart.run(lambda: os._exit(1)).error == "the process was killed"


def test_waiting_is_no_work() -> None:
    waited = apart.run(lambda: select.select([], [], [], 0.2))
    assert waited.seconds > 0.2
    assert waited.cpu < 0.1


def test_the_work_of_a_child_counts() -> None:
    counting = "n = 0\nwhile n < 3_000_000: n += 1"
    assert (
        apart.run(lambda: subprocess.run([sys.executable, "-c", counting], check=True).returncode).cpu > 0.05
    )


# cpu seconds, MiB and error of several runs, what stands for them
BEST = [
    ([(0.3, 5, ""), (0.1, 4, ""), (0.2, 6, "")], (0.1, 6, "")),
    ([(0.3, 5, ""), (0.1, 4, "ValueError: no")], (0.1, 5, "ValueError: no")),
]


@pytest.mark.parametrize(("runs", "chosen"), BEST)
def test_the_least_disturbed_run_counts_and_a_failure_is_not_hidden(
    runs: list[tuple[float, float, str]], chosen: tuple[float, float, str]
) -> None:
    found = tasks.best(apart.Run(9.9, cpu, mib, None, error) for cpu, mib, error in runs)
    assert (found.cpu, found.mib, found.error) == chosen


def test_two_sides_are_measured_in_turn_and_the_first_round_is_left_out() -> None:
    order: list[str] = []
    first, second = control.in_turn(2, lambda: order.append("bare"), lambda: order.append("ours"))
    assert order == ["bare", "ours"] * 3
    assert len(first) == len(second) == 2


# ratio, its bound, whether it is marked
BOUNDS = [(1.04, 1.05, False), (1.06, 1.05, True), (9.0, None, False)]


@pytest.mark.parametrize(("ratio", "bound", "marked"), BOUNDS)
def test_a_ratio_above_its_bound_is_marked(
    ratio: float, bound: float | None, marked: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    found = control.row("it", [1.0, 1.0, 50.0], [ratio, ratio, 0.0], bound)
    assert found["ratio"] == pytest.approx(ratio)
    assert control.show([found]) == int(marked)
    assert ("above" in capsys.readouterr().out) is marked


@pytest.mark.parametrize("pattern", datasets.SOURCES)
def test_what_a_data_set_hangs_on_is_there(pattern: str) -> None:
    assert any(path.is_file() for path in datasets.PROJECT.glob(pattern))
