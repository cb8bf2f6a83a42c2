"""Which kill a task belongs to that was begun twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.endurance.doubles import SENT_AGAIN, UNEXPLAINED, Kill, causes
from tests.endurance.logbook import FOLDER, Line, Logbook, note

WORKER, BROKER = (
    Kill("worker", 100.0, 105.0, frozenset({1, 11, 12}), broker=False),
    Kill("rabbitmq", 200.0, 210.0, frozenset({2}), broker=True),
)

# when and in which process it was begun, whether it was sent again, the cause
CASES = {
    "once": ([(50.0, 11)], False, None),
    "its worker was killed": ([(99.0, 11), (106.0, 21)], False, "SIGKILL worker"),
    "another worker was killed": ([(99.0, 31), (106.0, 21)], False, UNEXPLAINED),
    "the broker was killed": ([(199.0, 31), (212.0, 31)], False, "SIGKILL rabbitmq"),
    "it began while the broker was away": ([(203.0, 31), (212.0, 31)], False, "SIGKILL rabbitmq"),
    "both begins before every kill": ([(50.0, 11), (60.0, 12)], False, UNEXPLAINED),
    "both begins after every kill": ([(250.0, 11), (260.0, 12)], False, UNEXPLAINED),
    "two messages": ([(250.0, 31), (251.0, 32)], True, SENT_AGAIN),
    "its worker was killed, and it was sent again": ([(99.0, 12), (106.0, 21)], True, "SIGKILL worker"),
}


@pytest.mark.parametrize(("begins", "again", "cause"), CASES.values(), ids=CASES)
def test_names_the_kill(begins: list[tuple[float, int]], again: bool, cause: str | None) -> None:
    lines = [Line("task", "begin", at, pid) for at, pid in begins]
    found = causes([lines], [WORKER, BROKER], {"task"} if again else ())
    assert found == ({} if cause is None else {cause: ["task"]})


def test_each_begin_after_the_first_has_its_cause() -> None:
    lines = [Line("task", "begin", at, pid) for at, pid in ((99.0, 11), (106.0, 21), (212.0, 21))]
    assert causes([lines], [WORKER, BROKER], ()) == {"SIGKILL worker": ["task"], "SIGKILL rabbitmq": ["task"]}


def test_the_logbook_reads_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    book = Logbook(tmp_path)
    note("a", "begin")
    assert set(book.look().begun) == {"a"}
    note("a", "end")
    note("b", "begin")
    book.look()
    assert {task: len(lines) for task, lines in book.begun.items()} == {"a": 1, "b": 1}
    assert [line.pid for line in book.ended["a"]] == [os.getpid()]
