"""``python -m tests.contained COMMAND …``: run a command, and leave no process of it behind, however it ends.

What tests start (servers, workers, supervisors that detach themselves) outlives a pytest that is interrupted.
On Linux whatever loses its parent becomes a child of this process, so all of it is known and is ended here:
after the command's own end, after Ctrl-C, SIGTERM or SIGHUP. Elsewhere the command's process tree is ended as
far as it is connected.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

import psutil

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h
PATIENCE = 20.0  # seconds in which an interrupted command may clean up by itself
MOMENT = 5.0  # seconds between asking a process to end and ending it
ASKED_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(command: Sequence[str]) -> int:
    """Run the command and end what it leaves; its exit code, or 128 and the signal's number."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(SUBREAPER, 1, 0, 0, 0)
    asked: list[int] = []
    child = subprocess.Popen(command)
    if sys.platform == "linux":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # here only, so that it is waited for

    def end(number: int, _frame: FrameType | None) -> None:
        # A terminal tells Ctrl-C to the child as well; told twice, pytest would not clean up.
        if number != signal.SIGINT and not asked:
            child.send_signal(signal.SIGINT)
        asked.append(number)

    for number in ASKED_TO_END:
        signal.signal(number, end)
    try:
        code = _wait(child, asked)
    finally:
        left = _end_all()
    if left:
        print(f"ended {left} processes that were left behind", file=sys.stderr)
    return 128 + asked[0] if asked else code


def _wait(child: subprocess.Popen[bytes], asked: Sequence[int]) -> int:
    until = float("inf")
    while time.monotonic() < until:
        if _bury(child.pid):
            return child.wait()
        if asked and until == float("inf"):
            until = time.monotonic() + PATIENCE
        _a_child_ends(0.5)
    return -1


def _bury(command: int) -> bool:
    """Take leave of what has ended, as its parent would have; whether the command itself has.

    Whoever waits for such a process, as `zumo down` does for supervisord, would see it for ever.
    """
    while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
        if ended.si_pid == command:
            return True
        os.waitpid(ended.si_pid, 0)
    return False


def _a_child_ends(seconds: float) -> None:
    """Return when a child ends, at the latest after so many seconds."""
    if sys.platform == "linux":
        signal.sigtimedwait({signal.SIGCHLD}, seconds)
    else:
        time.sleep(seconds)


def _end_all() -> int:
    """End every descendant; those that lose their parent meanwhile come to us and are ended too."""
    ended: set[int] = set()
    while left := psutil.Process().children(recursive=True):
        alive = [process for process in left if process.is_running() and process.status() != "zombie"]
        ended |= {process.pid for process in alive}
        for process in alive:
            _signal(process, signal.SIGCONT)
            _signal(process, signal.SIGTERM)
        _, stubborn = psutil.wait_procs(left, timeout=MOMENT)
        for process in stubborn:
            _signal(process, signal.SIGKILL)
        psutil.wait_procs(stubborn, timeout=MOMENT)
    return len(ended)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # it ended by itself


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
