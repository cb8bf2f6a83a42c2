"""New keys on what was recorded before: nothing of a secret is left on disk, and all else stays."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from tests.unit.lives import DAY, LATER, START, life
from zumolib import conf
from zumolib.cli import main
from zumolib.history import History, events, place
from zumolib.history.scrub import scrub
from zumolib.masking import KEYS, Hidden

SALARY = (*KEYS, "salary")
HIDDEN = {"a.b": Hidden(frozenset({1}))}


def secret_life(number: int, *, ended: bool = True) -> list[dict[str, Any]]:
    """A task with its secrets in every text that is kept."""
    told = {"uuid": f"s{number}", "name": "a.b", "hostname": "w@one"}
    at = START.timestamp() + number
    steps: list[tuple[str, dict[str, Any]]] = [
        ("received", {"args": "('ann', 'hunter2')", "kwargs": "{'salary': 'hunter2', 'n': 1}"}),
        ("started", {}),
        ("retried", {"exception": "ValueError(\"salary='hunter2'\")", "traceback": "salary: hunter2"}),
    ]
    if ended:
        steps.append(
            ("failed", {"exception": "E(\"salary='hunter2'\")", "traceback": "x\nsalary = hunter2\ny"})
        )
    return [
        events.row({**told, "type": f"task-{kind}", "timestamp": at + n, **more}, at + n)
        for n, (kind, more) in enumerate(steps)
    ]


def beat(number: int) -> dict[str, Any]:
    at = START.timestamp() + number
    event = {
        "type": "worker-heartbeat",
        "hostname": "w@one",
        "timestamp": at,
        "salary": "hunter2",
        "active": 0,
    }
    return events.row(event, at)


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Some of it folded, some in flight, some not folded yet."""
    found = History(tmp_path / "h")
    for number in range(20):
        found.append_events(life(number))
        found.append_events(secret_life(number, ended=number % 2 == 0))
        found.append_events([beat(number)])
    found.compact(LATER, at_once=True)
    found.append_events(secret_life(50) + life(51))
    found.append_aside([("salary=hunter2 and more", "no salary=hunter2")], at=START)
    return found


def on_disk(found: History) -> str:
    """All texts in all files."""
    texts = [path.read_text() for path in found.root.rglob("*.jsonl")]
    texts += [str(pq.read_table(path).to_pylist()) for path in found.root.rglob("*.parquet")]
    return "\n".join(texts)


def test_nothing_of_a_secret_is_left_and_all_else_stays(history: History) -> None:
    before = history.tasks(START - DAY, START + DAY)
    workers = history.workers(START - DAY, START + DAY)
    count = history.coverage().events
    assert "hunter2" in on_disk(history)
    done = scrub(history, SALARY, HIDDEN)
    assert done.changed >= 2
    assert done.lines == 1
    assert "hunter2" not in on_disk(history)
    again = History(history.root)
    after = again.tasks(START - DAY, START + DAY)
    texts = ["args", "kwargs", "exception", "traceback"]
    assert after.drop(columns=texts).equals(before.drop(columns=texts))
    assert again.workers(START - DAY, START + DAY).equals(workers)
    assert again.coverage().events == count
    row = after[after["task_id"] == "s0"].iloc[0]
    assert (row["args"], row["kwargs"]) == ("('ann', '***')", "{'salary': '***', 'n': 1}")
    assert row["traceback"] == "x\nsalary = ***\ny"
    assert after[after["task_id"] == "t0"].iloc[0]["args"] == "(1,)"
    assert scrub(again, SALARY, HIDDEN) == type(done)(done.files, 0, 0), "twice is once"


def test_what_was_in_flight_goes_on(history: History) -> None:
    scrub(history, SALARY, HIDDEN)
    at = START.timestamp() + 60
    end = {"type": "task-succeeded", "uuid": "s1", "hostname": "w@one", "timestamp": at}
    history.append_events([events.row(end, at)])
    history.compact(LATER + timedelta(hours=1), at_once=True)
    found = history.tasks(START - DAY, START + DAY)
    assert found[found["task_id"] == "s1"].iloc[0]["state"] == "SUCCESS"
    assert "hunter2" not in on_disk(history)


@pytest.mark.parametrize("crash_at", range(8))
def test_a_crash_leaves_the_old_files_or_the_new_ones(
    history: History, monkeypatch: pytest.MonkeyPatch, crash_at: int
) -> None:
    expected = sorted(history.tasks(START - DAY, START + DAY)["task_id"])
    steps = itertools.count()

    def or_crash(method: Callable[..., Any]) -> Callable[..., Any]:
        def act(*args: Any, **options: Any) -> Any:
            if next(steps) == crash_at:
                raise KeyboardInterrupt
            return method(*args, **options)

        return act

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", or_crash(Path.rename))
        patch.setattr(place.os, "link", or_crash(os.link))
        patch.setattr(place.Folder, "delete", or_crash(place.Folder.delete))
        with contextlib.suppress(KeyboardInterrupt):
            scrub(history, SALARY, HIDDEN)
    again = History(history.root)
    assert sorted(again.tasks(START - DAY, START + DAY)["task_id"]) == expected
    scrub(again, SALARY, HIDDEN)
    again.compact(LATER + timedelta(days=2), at_once=True)
    assert sorted(again.tasks(START - DAY, START + DAY)["task_id"]) == expected


def test_readers_and_recorders_go_on_meanwhile(history: History) -> None:
    stop = threading.Event()
    failures: list[BaseException] = []
    lines = itertools.count()

    def read() -> None:
        while not stop.is_set():
            try:
                assert len(History(history.root).tasks(START - DAY, START + DAY)) >= 40
            except BaseException as error:  # noqa: BLE001 - shown by the test
                failures.append(error)
                return

    def write() -> None:
        while not stop.wait(0.1):  # a recorder writes once a second
            number = next(lines)
            history.append_aside([(f"line {number}", "")], at=START)
            history.append_events(life(1_000 + number))

    threads = [threading.Thread(target=read), threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            scrub(history, SALARY, HIDDEN)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures
    scrub(history, SALARY, HIDDEN)
    kept = [
        json.loads(line)["raw"]
        for path in history.root.rglob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    wrote = next(lines)
    assert kept[1:] == [f"line {number}" for number in range(wrote)]
    assert len(history.tasks(START - DAY, START + DAY + timedelta(hours=9))) == 20 + 20 + 2 + wrote
    assert "hunter2" not in on_disk(history)


def test_the_command_scrubs_history_and_receipts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, history: History
) -> None:
    from zumolib.database import orm

    orm.migrate()
    from zumolib.receipts.models import Receipt

    made = Receipt.objects.create(
        plan="6f1d3f64-0000-4000-8000-000000000001", action="call", target="a.b", summary="call a.b(salary='hunter2')",
        actor="ann", process="here:1", started_at=datetime.now(UTC), asked={"kwargs": {"salary": "hunter2", "n": 1}},
        affected=[{"kwargs": "{'salary': 'hunter2'}"}], undo={"salary": 1},
    )  # fmt: skip
    monkeypatch.setenv("ZUMO_MASKED_KEYS", "default,salary")
    monkeypatch.setenv("ZUMO_HISTORY", str(history.root))
    conf.conf.cache_clear()
    try:
        run = CliRunner().invoke(main, ["history", "scrub", "--dry-run", "--json"])
        would = json.loads(run.stdout)
        assert (would["lines"], would["receipts"]) == (1, 1)
        assert would["changed"] >= 3
        run = CliRunner().invoke(main, ["history", "scrub"], input="y\n")  # nobody sits at a terminal
        assert run.exit_code == 2
        assert "--yes" in run.stderr
        assert "hunter2" in on_disk(history)
        run = CliRunner().invoke(main, ["history", "scrub", "--yes", "--json"])
        assert run.exit_code == 0, run.output
        done = json.loads(run.stdout)
        assert (done["lines"], done["receipts"]) == (1, 1)
        assert "'salary': 'hunter2'" not in on_disk(history)
        kept = Receipt.objects.get(pk=made.pk)
        assert kept.summary == "call a.b(salary='***')"
        assert kept.asked == {"kwargs": {"salary": "***", "n": 1}}
        assert kept.undo == {"salary": 1}, "the way back is kept"
    finally:
        conf.conf.cache_clear()
