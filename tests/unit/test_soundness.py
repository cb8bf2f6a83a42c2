"""What `zumo status` says of a history's files: how many are damaged or gone, which one first, what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import recorded
from zumolib.history import History, soundness, view

NOW = datetime.now(UTC)
WINDOW = (recorded.START, recorded.END)


@pytest.fixture
def settled(tmp_path: Path) -> History:
    """A history that was folded, with two days of settled files."""
    history = recorded.make(tmp_path / "history")
    history.compact(NOW, at_once=True)
    return history


def days(history: History) -> list[str]:
    return sorted(str(path.relative_to(history.root)) for path in history.root.glob("tasks/*/*.parquet"))


def test_nothing_recorded_yet_is_no_trouble(tmp_path: Path) -> None:
    assert soundness.look(tmp_path / "none") == soundness.Soundness(str(tmp_path / "none"), "empty")
    assert not (tmp_path / "none").exists()


def test_a_sound_history(settled: History) -> None:
    found = soundness.look(settled.root)
    assert (found.state, found.damaged, found.problem) == ("sound", (), "")
    assert found.files == settled.coverage().files


def test_a_file_that_was_cut_is_told_before_anybody_reads_it(settled: History) -> None:
    bad = days(settled)[0]
    content = (settled.root / bad).read_bytes()
    (settled.root / bad).write_bytes(content[:-100])
    found = soundness.look(settled.root)
    assert (found.state, found.damaged) == ("damaged", (bad,))
    assert found.problem == f"1 file is damaged and left out, first {bad}"
    assert "look at the disk" in found.remedy


def test_what_a_question_could_not_read_is_told_by_everybody_and_left_out_for_good(settled: History) -> None:
    for bad in days(settled):
        path = settled.root / bad
        path.write_bytes(b"\xff" * path.stat().st_size)  # of the size that it should have
    assert soundness.look(settled.root).state == "sound", "nobody has read it yet"
    view.forget()
    assert History(settled.root).tasks(*WINDOW).empty
    found = soundness.look(settled.root)
    assert found.damaged == tuple(days(settled))
    assert found.problem.startswith("2 files are damaged and left out, first tasks/day=2026-11-16/")
    settled.compact(NOW + timedelta(hours=1))
    assert soundness.look(settled.root).damaged == tuple(days(settled)), "now the manifest says so"
    assert History(settled.root).coverage().damaged == tuple(days(settled))
    for bad in days(settled):
        (settled.root / bad).unlink()
    assert soundness.look(settled.root).state == "sound", "whoever deletes them is told no more"


def test_a_deleted_file_is_told(settled: History) -> None:
    gone = days(settled)[1]
    (settled.root / gone).unlink()
    found = soundness.look(settled.root)
    assert (found.state, found.missing) == ("damaged", (gone,))
    assert found.problem == f"1 file is missing, first {gone}"


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path) -> None:
    (tmp_path / "manifests").symlink_to(tmp_path / "manifests")
    found = soundness.look(tmp_path)
    assert found.state == "unreachable"
    assert "cannot be read" in found.problem
    assert found.remedy == "make it readable"


def test_zumo_status_shows_it(settled: History, tmp_path: Path) -> None:
    (settled.root / days(settled)[0]).write_bytes(b"")
    # In a process of its own: Django keeps the database of the first home that it meets.
    home = {"ZUMO_HOME": str(tmp_path / "home"), "ZUMO_HISTORY": str(settled.root)}
    command = [sys.executable, "-m", "zumolib", "status"]
    done = subprocess.run(command, env=os.environ | home, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"history {settled.root}: damaged, " in done.stdout
    assert f"1 file is damaged and left out, first {days(settled)[0]}" in done.stdout
    assert "look at the disk" in done.stdout
