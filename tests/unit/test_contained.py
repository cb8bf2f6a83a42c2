"""What a test run started ends with it, also when it is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.services.processes import PROJECT
from tests.waiting import wait_until
from zumolib import processes

# Starts a server that detaches itself as supervisord does, one that ignores SIGTERM, and one that is stopped.
STARTS = textwrap.dedent(
    """
    import os, signal, subprocess, sys, time
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    stopped = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    os.kill(stopped.pid, signal.SIGSTOP)
    stubborn = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE)
    stubborn.stdout.readline()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            with open(sys.argv[1] + ".part", "w") as file:
                file.write(f"{os.getpid()} {stopped.pid} {stubborn.pid}")
            os.rename(sys.argv[1] + ".part", sys.argv[1])
            time.sleep(600)
        os._exit(0)
    os.wait()
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
    if sys.argv[2] == "end":
        sys.exit(3)
    time.sleep(600)
    """
)


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    """The file into which the command writes the processes that it started; none of them may be left."""
    path = tmp_path / "pids"
    yield path
    for pid in map(int, path.read_text().split()):
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)


def contained(pids: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.contained", sys.executable, "-c", STARTS, str(pids), how],
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def left(pids: Path) -> list[int]:
    return [pid for pid in map(int, pids.read_text().split()) if psutil.pid_exists(pid)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans to a subreaper")
@pytest.mark.parametrize("how", ["end", "SIGINT", "SIGTERM", "SIGHUP"])
def test_nothing_is_left(how: str, pids: Path) -> None:
    process = contained(pids, how)
    try:
        wait_until(pids.exists, 20, "the command to have started its servers")
        if how != "end":
            number = signal.Signals[how]
            # Ctrl-C reaches all processes of the terminal, the others this one only.
            os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert left(pids) == []
    assert process.returncode == (3 if how == "end" else 128 + signal.Signals[how])
    assert "that were left behind" in said


ORPHANS = textwrap.dedent(
    """
    import os, sys, time
    import psutil
    for _ in range(50):
        if (child := os.fork()) == 0:
            if os.fork() == 0:
                os._exit(0)
            os._exit(0)
        os.waitpid(child, 0)
    parent = psutil.Process().parent()
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if not [p for p in parent.children() if p.status() == "zombie"]:
            sys.exit(3)
        time.sleep(0.01)
    sys.exit(4)
    """
)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system takes leave of orphans")
def test_what_has_ended_is_not_seen_for_ever() -> None:
    command = [sys.executable, "-m", "tests.contained", sys.executable, "-c", ORPHANS]
    assert subprocess.run(command, cwd=PROJECT, check=False, timeout=60).returncode == 3


def test_a_process_that_ended_does_not_run_though_nobody_asked_how() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
    assert child.stdin is not None
    assert processes.ends(child.pid, 20)
    assert psutil.pid_exists(child.pid), "it is still listed"
    assert not processes.runs(child.pid)
    child.communicate()
    assert not processes.runs(child.pid)
    assert processes.runs(os.getpid())
    assert not processes.ends(os.getpid(), 0.1)
