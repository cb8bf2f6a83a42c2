"""What goes wrong gives one clear line and leaves no mess."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack


def test_a_port_that_is_taken(empty: Stack) -> None:
    port = empty.prepare().ports["mail"]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        done = empty.zumo("up")
    assert done.returncode == 1
    assert f"port {port}, which mail uses here, is taken by process" in done.stderr
    assert "stack.json to have new ports chosen" in done.stderr
    assert empty.processes() == []


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = Stack(tmp_path / "file" / "home").zumo("up")
    assert done.returncode == 1
    assert done.stderr.startswith("zumo: ZUMO_HOME=")
    assert "cannot be written" in done.stderr
    assert "set ZUMO_HOME to a folder of your own" in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_free_disk(empty: Stack) -> None:
    empty.extra["ZUMO_MIN_FREE_MB"] = str(10**9)
    done = empty.zumo("up")
    assert done.returncode == 1
    assert "MB free on the disk of" in done.stderr
    assert "lower ZUMO_MIN_FREE_MB" in done.stderr
    assert empty.processes() == []
    assert not (empty.home / "stack.json").exists()


def test_a_service_that_does_not_stay_up_names_its_log(empty: Stack) -> None:
    (empty.home / "valkey").mkdir(parents=True)
    (empty.home / "valkey" / "appendonlydir").write_text("a file where Valkey wants a folder")
    done = empty.zumo("up")
    assert done.returncode == 1
    assert "valkey" in done.stderr
    assert str(empty.home / "log" / "valkey.log") in done.stderr
    assert empty.processes() == []


def test_a_database_that_is_down(empty: Stack) -> None:
    empty.extra["DATABASE_URL"] = "postgres://someone:hush@127.0.0.1:1/zumodra"
    done = empty.zumo("up")
    assert done.returncode == 1
    assert "DATABASE_URL='postgres://someone:***@127.0.0.1:1/zumodra'" in done.stderr
    assert "hush" not in done.stdout + done.stderr
    assert empty.processes() == []


# arguments, what the message must name
WRONG = [
    (("report", "--date", "yesterday"), "yesterday"),
    (("report", "--date", "2026-02-30"), "2026-02-30"),
    (("report", "--date", "2999-01-01"), "2999-01-01"),
    (("schedule", "install", "no-such-entry"), "no-such-entry"),
    (("record", "--app", "no.such.module"), "no.such.module"),
    (("demo", "load", "--scale", "-3"), "-3"),
]


@pytest.mark.parametrize(("arguments", "named"), WRONG)
def test_wrong_arguments_are_named(arguments: tuple[str, ...], named: str, resting: Stack) -> None:
    done = resting.zumo(*arguments)
    assert done.returncode in (1, 2)
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_up_in_a_terminal_of_the_killed_stack_does_not_end_that_terminal(empty: Stack) -> None:
    empty.prepare()
    # As JupyterLab is left by a killed supervisord: it carries the stack's mark, its terminals do not.
    code = (
        "import os, subprocess, sys\n"
        "os.environ.pop('ZUMO_STACK')\n"
        "done = subprocess.run([sys.executable, '-m', 'zumolib', 'up'], capture_output=True, text=True)\n"
        "print(done.returncode, done.stderr)"
    )
    empty.extra["ZUMO_STACK"] = str(empty.home)
    done = empty.run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "1 zumo: this terminal belongs to the JupyterLab of a stack whose supervisord"
    )
    assert "run `zumo up` in a terminal of your own" in done.stdout
