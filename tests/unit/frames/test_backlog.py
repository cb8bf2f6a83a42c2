"""What depths, rates and ages mean together."""

from __future__ import annotations

import math
from datetime import timedelta

import pandas as pd
import pytest

from zumolib.frames import backlog

FIVE = timedelta(minutes=5)


def judge(
    ready: int | None, *, sent: int = 0, started: int = 0, consumers: int | None = 1, age: float | None = None
) -> dict[str, object]:
    depths = pd.DataFrame(
        {"queue": ["hr"], "ready": [ready], "unacked": [None], "consumers": [consumers]}
    ).astype({"ready": "Int64", "unacked": "Int64", "consumers": "Int64"})
    flow = pd.DataFrame({"queue": ["hr"], "sent": [sent], "started": [started]})
    waits = pd.DataFrame({"queue": ["hr"] * (age is not None), "age": [age] * (age is not None)})
    [row] = backlog.judged(depths, flow, waits, recent=FIVE).to_dict("records")
    return row


# ready | sent | started in 5 min | workers | says
CASES = [
    (0, 50, 50, 1, "empty", 0.0),
    (3, 50, 50, 1, "quiet", math.nan),
    (3, 50, 55, 1, "quiet", 180.0),
    (100, 50, 100, 1, "draining", 600.0),
    (100, 100, 50, 1, "more comes than goes", math.inf),
    (100, 50, 50, 1, "more comes than goes", math.inf),
    (100, 50, 0, 1, "nothing is started", math.inf),
    (1, 0, 0, 0, "no worker takes from it", math.inf),
    (100, 50, 0, None, "nothing is started", math.inf),
    (None, 50, 50, 1, "unknown", math.nan),
]


@pytest.mark.parametrize(("ready", "sent", "started", "consumers", "why", "drain"), CASES)
def test_what_it_means(
    ready: int | None, sent: int, started: int, consumers: int | None, why: str, drain: float
) -> None:
    row = judge(ready, sent=sent, started=started, consumers=consumers)
    assert row["why"] == why
    assert row["drain"] == pytest.approx(drain, nan_ok=True)
    assert row["rate_in"] == sent / 5


def test_every_meaning_has_its_urgency() -> None:
    assert {case[4] for case in CASES} == set(backlog.URGENCY)


def test_a_task_that_waits_in_no_queue_any_more_has_no_age() -> None:
    assert judge(4, age=90.0)["oldest"] == 90.0
    assert math.isnan(judge(0, age=90.0)["oldest"])  # type: ignore[arg-type]


def test_the_most_urgent_queue_comes_first_then_the_deepest() -> None:
    depths = pd.DataFrame(
        {"queue": ["a", "b", "c", "d"], "ready": [0, 50, 60, 5], "unacked": pd.NA, "consumers": pd.NA}
    )
    flow = pd.DataFrame({"queue": ["b", "c"], "sent": [0, 9], "started": [9, 0]})
    none = pd.DataFrame({"queue": [], "age": []})
    frame = backlog.judged(depths, flow, none, recent=FIVE, consumers={"a": 1, "b": 1, "c": 1})
    assert frame[["queue", "why"]].to_numpy().tolist() == [
        ["d", "no worker takes from it"], ["c", "nothing is started"], ["b", "draining"], ["a", "empty"]
    ]  # fmt: skip
