"""The environment of a clone that was moved is made again; no other is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from zumolib.conf import PROJECT


def plan(clone: Path) -> str:
    """What `make run` would do there."""
    # Below another make, as the tests are, it would say where it enters and leaves.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "-n", "run"], cwd=clone, env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with an environment that is ready; it says nothing yet of where it was made."""
    made = tmp_path / "a clone"
    (made / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(PROJECT / "Makefile", made)
    for name in ("requirements.txt", "pyproject.toml", ".venv/bin/python", ".venv/.run-ready"):
        (made / name).write_text("")
    return made


def record(clone: Path, place: Path) -> None:
    config = clone / ".venv" / "pyvenv.cfg"
    config.write_text(f"home = /usr/bin\ncommand = /usr/bin/python3 -m venv {place / '.venv'}\n")


def test_an_environment_in_its_place_is_used(clone: Path) -> None:
    record(clone, clone)
    assert plan(clone).splitlines() == [".venv/bin/zumo run"]
    assert (clone / ".venv").exists()


def test_a_moved_clone_says_so_and_makes_its_environment_again(clone: Path, tmp_path: Path) -> None:
    record(clone, tmp_path / "elsewhere")
    steps = plan(clone)
    assert f"this clone was at {tmp_path / 'elsewhere'} before: .venv is made again" in steps
    assert " -m venv .venv" in steps
    assert not (clone / ".venv").exists()
