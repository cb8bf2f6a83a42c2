"""Objectives: what was started in time, what is late, and what may still be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.frames.told import Told, write
from zumolib.deployment.objectives import OBJECTIVES, Objective
from zumolib.errors import InputError
from zumolib.frames import objectives
from zumolib.frames.window import Window
from zumolib.platform.queues import QUEUES

NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)
HOUR = Window(NOON, NOON + timedelta(hours=1))
HR = [Objective("hr", within=5, share=0.75)]


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def test_every_queue_of_the_platform_has_one() -> None:
    assert {o.queue for o in OBJECTIVES} == {queue.name for queue in QUEUES}


# task | due  | started             | counts
# t0   | 0    | 5 s later, the edge | kept
# t1   | 10   | 5.001 s later       | late
# t2   | 20   | 2 s after its ETA   | kept: it counts from when it was due
# t3   | 30   | never               | late
# t4   | 3598 | not yet             | not yet: it has 3 s left
# t5   | 40   | 60 s, other queue   | no
# t6   | 50   | revoked, unstarted  | no: nobody waits for it
def test_what_counts_and_what_is_kept(tmp_path: Path) -> None:
    history = write(
        tmp_path,
        [
            Told(at(0), 1, 5, 6),
            Told(at(10), 1, 5.001, 6),
            Told(at(20), 1, 302, 303, eta=300),
            Told(at(30), 1),
            Told(at(3598), 1),
            Told(at(40), 1, 60, 61, queue="ats"),
            Told(at(50), 1, None, 2, state="REVOKED"),
        ],
    )
    [row] = objectives.kept(history, HOUR, objectives=HR).to_dict("records")
    assert (row["queue"], row["count"], row["met"], row["late"]) == ("hr", 4, 2, 2)
    assert row["share"] == 0.5
    assert row["allowed"] == 1.0
    assert row["budget"] == -1.0


def test_a_queue_without_tasks_has_no_share_and_comes_last(tmp_path: Path) -> None:
    history = write(tmp_path, [Told(at(0), 1, 2, 3)])
    frame = objectives.kept(history, HOUR, objectives=[*HR, Objective("ats", 5, 0.9)])
    assert frame["queue"].tolist() == ["hr", "ats"]
    assert frame["count"].tolist() == [1, 0]
    assert frame["budget"].isna().tolist() == [False, True]
    assert objectives.kept(history, HOUR, objectives=[]).empty


def test_only_the_queue_asked_for(tmp_path: Path) -> None:
    history = write(tmp_path, [Told(at(0), 1, 2, 3)])
    assert objectives.kept(history, HOUR, queue="payments")["queue"].tolist() == ["payments"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([Objective("hr", 5, 0.9), Objective("hr", 6, 0.9)], "several objectives"),
        ([Objective("hr", 5, 1.0)], "between 0 and 1"),
        ([Objective("hr", -1, 0.9)], "0 or more"),
    ],
)
def test_an_impossible_objective_is_refused(tmp_path: Path, wrong: list[Objective], said: str) -> None:
    with pytest.raises(InputError, match=said):
        objectives.kept(write(tmp_path, []), HOUR, objectives=wrong)
