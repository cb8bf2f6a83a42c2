"""Real processes for tests: on free ports, waited for by a condition, ended by their own id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

PROJECT = Path(__file__).resolve().parents[2]


class OwnProcess:
    """A process, and its children, that a test started; what it prints goes to a file."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        stdin: str = "",
    ) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.process.stdin.write(stdin.encode())
        self.process.stdin.close()

    def __enter__(self) -> OwnProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Ask until the condition holds; when it does not, or the process ends, fail and show the log."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not ready after {seconds} s:\n{self.tail()}")
            time.sleep(0.1)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """While it and its children are there, and do nothing."""
        with stopped(self.process.pid):
            yield

    def end(self, seconds: float = 30) -> int:
        """Ask it to end, then make what is left of it end; returns the exit status.

        It is asked again every 5 s: beat's signal handler writes to the database, which fails, and the
        signal is lost, when it arrives in the middle of a query.
        """
        deadline = time.monotonic() + seconds
        try:
            while self.process.poll() is None:
                if time.monotonic() > deadline:
                    raise AssertionError(f"did not end within {seconds} s:\n{self.tail()}")
                self.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(5)
            return self.process.returncode
        finally:
            with contextlib.suppress(ProcessLookupError):  # nothing of it is left
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def tail(self) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-3_000:]


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """While a process and its children are there, and do nothing."""
    top = psutil.Process(pid)
    family = [top, *top.children(recursive=True)]
    for process in family:
        process.suspend()
    try:
        yield
    finally:
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def listens(port: int) -> bool:
    """Whether something answers on a port of the loopback interface."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def passes(check: dict[str, Any], env: dict[str, str]) -> bool:
    """Whether a health check passes within its time, as Docker has it."""
    kind, test = check["test"]
    assert kind == "CMD-SHELL"
    asked = subprocess.Popen(
        ["sh", "-c", test.replace("$$", "$")],
        env=env,
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return asked.wait(float(check["timeout"].removesuffix("s"))) == 0
    except subprocess.TimeoutExpired:
        os.killpg(asked.pid, signal.SIGKILL)
        asked.wait()
        return False
