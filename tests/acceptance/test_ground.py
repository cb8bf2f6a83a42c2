"""When the ground gives way, `zumo status` says so within seconds, and all is well again by itself afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack
from tests.waiting import wait_until
from zumolib.stack.supervisor import Supervisor
from zumolib.vitals.questions import IDS

SECONDS = 10.0
DISK_MB = 160


def health(stack: Stack) -> tuple[int, dict[str, str]]:
    """Exit code and states of the answers; asking takes no longer than it may."""
    began = time.monotonic()
    done = stack.zumo("status", "--json", timeout=60)
    took = time.monotonic() - began
    assert took < SECONDS, done.stdout
    assert "Traceback" not in done.stderr
    answers = json.loads(done.stdout)["health"]
    return done.returncode, {answer["id"]: answer["state"] for answer in answers}


def is_well(stack: Stack) -> bool:
    code, states = health(stack)
    return code == 0 and set(states.values()) == {"ok"}


#   what is stopped   what status says of whom
STOPPED = [
    ("worker", {"worker": "failing"}),
    ("beat", {"beat": "failing"}),
    ("recorder", {"recorder": "failing"}),
    ("valkey", {"broker": "failing", "results": "failing", "cache": "failing", "worker": "unknown"}),
]


@pytest.mark.parametrize(("service", "expected"), STOPPED, ids=[name for name, _ in STOPPED])
def test_a_stopped_process_is_told(stack: Stack, service: str, expected: dict[str, str]) -> None:
    wait_until(lambda: is_well(stack), 30, "all is well")
    pid = stack.service(service).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    at = time.monotonic()
    try:

        def told() -> bool:
            code, states = health(stack)
            return code == 1 and states | expected == states

        wait_until(told, 2 * SECONDS, f"status names {service}")
        assert time.monotonic() - at < 2 * SECONDS
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: is_well(stack), 40, "all is well again")


def test_a_stopped_supervisord_is_told(stack: Stack) -> None:
    wait_until(lambda: is_well(stack), 30, "all is well")
    pid = Supervisor(stack.home, stack.plan()).pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        assert health(stack) == (1, dict.fromkeys(IDS, "ok"))
        assert stack.status()["running"] is None, "that is not known"
        assert "supervisord does not answer" in stack.zumo("status").stdout
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: is_well(stack), 40, "all is well again")


@pytest.fixture
def small(tmp_path: Path, migrated: Path) -> Iterator[Stack]:
    """A stack on a disk of its own, which is small."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(disk)]
    if os.getuid() or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk can be mounted by root only, and not in every container")
    try:
        made = Stack(disk / "home", {"ZUMO_MIN_FREE_MB": "1"}).with_database(migrated)
        made.up()
        yield made
        made.zumo("down")
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_told_and_got_over(small: Stack) -> None:
    ids = small.send(3)
    wait_until(lambda: small.states(ids) == {"SUCCESS"}, 30, "tasks run")
    filler = small.home.parent / "filler"
    with filler.open("wb", buffering=0) as sink:
        try:
            while True:
                sink.write(bytes(65_536))
        except OSError:
            pass  # full, which is what was wanted

    def told() -> bool:
        code, states = health(small)
        return code == 1 and states["disk"] == "failing"

    wait_until(told, SECONDS, "status names the disk")
    began = time.monotonic()
    done = small.zumo("disable", "auto-send-contracts", "--yes", "--reason", "test")
    assert time.monotonic() - began < 30
    if done.returncode:
        assert "zumo migrate" not in done.stderr
        assert "Traceback" not in done.stderr
    filler.unlink()
    wait_until(
        lambda: all(state in ("ok", "warning") for state in health(small)[1].values()), 60, "all is well"
    )
    ids = small.send(3)
    wait_until(lambda: small.states(ids) == {"SUCCESS"}, 60, "tasks run again")


COMMANDS = [
    ("up",),
    ("status",),
    ("schedule", "list"),
    ("disable", "auto-send-contracts", "--yes", "--reason", "test"),
    ("actions",),
    ("migrate",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=[" ".join(words[:2]) for words in COMMANDS])
def test_a_damaged_database_is_one_line(resting: Stack, command: tuple[str, ...]) -> None:
    file = resting.home / "zumodra.sqlite3"
    file.write_bytes(b"no database " * 1_000)
    done = resting.zumo(*command)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in said
    assert f"{file}: file is not a database" in said
    assert f"move {file} and its -wal and -shm files aside" in said
    assert str(resting.home / "backups") in said
    assert "zumo migrate" not in said
    if command != ("status",):
        assert len([line for line in done.stderr.splitlines() if line.startswith("zumo: ")]) == 1


def test_damaged_files_of_valkey_are_one_line(resting: Stack) -> None:
    folder = resting.home / "valkey" / "appendonlydir"
    folder.mkdir(parents=True)
    (folder / "appendonly.aof.manifest").write_text(
        "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
    )
    (folder / "appendonly.aof.1.base.rdb").write_bytes(b"VALKEY no such format" * 10)
    (folder / "appendonly.aof.1.incr.aof").write_bytes(b"")
    done = resting.zumo("up")
    assert done.returncode == 1
    assert f"zumo: Valkey cannot load its files in {folder}" in done.stderr
    assert "move that folder aside" in done.stderr
    assert "Traceback" not in done.stderr
