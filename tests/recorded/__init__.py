"""A small recorded history, the same at every run: two days of the 94 entries on two workers.

The window is Monday 2026-11-16 00:00 to Wednesday 2026-11-18 00:00 UTC. Every entry fires as its
schedule says (those whose day is not in the window are called once by hand), waits in its queue for
a free process, runs, sometimes fails or is retried. Three things happened, for figures to find:

- Monday 14:00 to 14:40, ``notifications`` ran slowly and its queue grew
- Tuesday 10:00 to 11:30, the payment provider timed out: ``payments`` tasks were retried and failed
- Tuesday 16:00, an operator revoked three waiting tasks

What the notebooks are run on also has the same two days of the week before, in which nothing happened and
two tasks were quicker, and a worker that began anew on Tuesday 05:10.

It is written as event dictionaries through :func:`zumolib.events.row`, like any recorder's.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.recorded.samples import depths, heartbeats
from tests.recorded.schedule import END, ENTRIES, START, Firing, firings
from tests.recorded.work import OUTAGE, QUEUES, REVOKED, SLOW, simulate, weights
from zumolib.history import History, events

__all__ = [
    "END",
    "ENTRIES",
    "OUTAGE",
    "QUEUES",
    "RESTART",
    "REVOKED",
    "SLOW",
    "START",
    "Firing",
    "firings",
    "make",
]

SEED = 20261116
RESTART = START + timedelta(days=1, hours=5, minutes=10)  # of the second worker
WEEK = timedelta(days=7)
QUICKER = {
    "ats.tasks.calculate_match_scores": 0.3,
    "analytics.tasks.update_dashboard_cache": 0.6,
}  # a week before


def make(root: Path | str, *, with_past: bool = False) -> History:
    """Write the history into `root` and return it; `with_past` also has the week before."""
    history = History(root)
    rng = random.Random(SEED)
    found, runs = simulate(rng, weights(rng))
    found += heartbeats(runs, restart=RESTART if with_past else END)
    if with_past:
        usual = {
            name: weight * QUICKER.get(name, 1.0) for name, weight in weights(random.Random(SEED)).items()
        }
        found += [_earlier(event) for event in simulate(random.Random(SEED - 1), usual, usual=True)[0]]
    found.sort(key=lambda event: event["timestamp"])
    rows = [
        events.row(event, event["timestamp"] + 0.004)
        for event in found
        if event["timestamp"] < END.timestamp()
    ]
    history.append_events(rows, source="stream")
    history.append_depths(depths(runs))
    return history


def _earlier(event: dict[str, Any]) -> dict[str, Any]:
    """The same event a week before; what ended after the two days did not end yet."""
    moved = {**event, "timestamp": event["timestamp"] - WEEK.total_seconds()}
    if event.get("eta"):
        moved["eta"] = (datetime.fromisoformat(event["eta"]) - WEEK).isoformat()
    return moved
