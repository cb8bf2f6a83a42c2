"""What the state folder lets go of by itself."""

from __future__ import annotations

import os
import time
from datetime import date
from pathlib import Path

from zumolib.headless.reports import let_go
from zumolib.stack.lab import forget_kernels


def test_old_reports_go_and_nothing_that_a_person_put_beside_them(tmp_path: Path) -> None:
    for day, names in {
        "2025-01-01": ("daily-report.ipynb", "daily-report.html"),
        "2025-01-02": ("03-beat.ipynb", "notes.txt"),
        "2026-01-01": ("daily-report.ipynb",),
        "notes": ("a.html",),
    }.items():
        for name in names:
            (tmp_path / day).mkdir(exist_ok=True)
            (tmp_path / day / name).write_text("x")
    gone = let_go(tmp_path, date(2026, 1, 1))
    assert [str(path.relative_to(tmp_path)) for path in gone] == [
        "2025-01-01/daily-report.html", "2025-01-01/daily-report.ipynb", "2025-01-02/03-beat.ipynb",
    ]  # fmt: skip
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["2025-01-02/notes.txt", "2026-01-01/daily-report.ipynb", "notes/a.html"]
    assert not (tmp_path / "2025-01-01").exists()


def test_what_killed_kernels_left_goes(tmp_path: Path) -> None:
    now = time.time()
    for name, age in {
        "kernel-old.json": 90_000,
        "kernel-new.json": 60,
        "jpserver-1.json": 90_000,
        "mine": 90_000,
    }.items():
        (tmp_path / name).write_text("{}")
        os.utime(tmp_path / name, (now - age, now - age))
    forget_kernels(tmp_path, now - 86_400)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kernel-new.json", "mine"]
    forget_kernels(tmp_path / "absent", now)
