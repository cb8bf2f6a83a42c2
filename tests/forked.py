"""``python -m tests.forked``: `zumo` commands, each in a process of its own, without paying for imports each time.

This process imports what commands need and does nothing else. For each line of standard input it forks a
child for each command named there, which calls the command's own entry point and ends; one line of JSON answers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    said: str


class Commands:
    """The process that forks, seen from a test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def call(self, *calls: Sequence[str], answer: str = "", **changes: str) -> list[Done]:
        """Call `zumo` with each of these words, all at once.

        An answer is what their terminals type; `changes` are variables that differ from the environment.
        """
        asked = {"calls": [list(words) for words in calls], "answer": answer, "changes": changes}
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, f"the process that forks ended with {self._process.wait()}"
        return [Done(**done) for done in json.loads(line)]


@contextmanager
def commands(environment: Mapping[str, str], cwd: Path) -> Iterator[Commands]:
    """The process in which commands find this environment and folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.forked"],
        env=dict(environment),
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Commands(process)
    finally:
        process.stdin.close()
        process.wait(30)


def _call(calls: Sequence[Sequence[str]], answer: str, changes: Mapping[str, str]) -> list[dict[str, Any]]:
    return [done() for done in [_start(words, answer, changes) for words in calls]]


def _start(words: Sequence[str], answer: str, changes: Mapping[str, str]) -> Callable[[], dict[str, Any]]:
    """Fork the command; the returned function waits for its end."""
    out = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the command has ended
    ours, terminal = os.openpty() if answer else (None, None)
    pid = os.fork()
    if pid == 0:
        os.environ.update(changes)
        _be_the_command(words, out.fileno(), terminal)
    if ours is not None:
        os.write(ours, answer.encode())

    def wait() -> dict[str, Any]:
        _, status = os.waitpid(pid, 0)
        for end in (ours, terminal):
            if end is not None:
                os.close(end)
        with out:
            out.seek(0)
            return {"code": os.waitstatus_to_exitcode(status), "said": out.read().decode(errors="replace")}

    return wait


def _be_the_command(words: Sequence[str], out: int, terminal: int | None) -> None:
    from zumolib.cli import main

    source = terminal if terminal is not None else os.open(os.devnull, os.O_RDONLY)
    for stream, number in ((source, 0), (out, 1), (out, 2)):
        os.dup2(stream, number)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    code: Any = 1
    try:
        main(list(words), prog_name="zumo")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - as the interpreter would: shown, and exit code 1
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


# What costs the most of a command's start. None of it starts a thread or reads a setting that a test changes.
IMPORTS = (
    "celery.app.control",
    "django.core.management",
    "duckdb",
    "kombu.transport.redis",
    "pandas",
    "pyarrow.parquet",
    "redis",
    "zumolib.checks",
    "zumolib.control",
    "zumolib.history",
)


def main() -> None:
    """Import, then answer line by line."""
    for name in IMPORTS:
        import_module(name)
    for line in sys.stdin:
        print(json.dumps(_call(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
