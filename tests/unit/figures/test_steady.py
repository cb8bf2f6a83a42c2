"""No processor's last digit shows: every float one unit off at its source, and each figure and table is the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests import recorded
from zumolib.figures import objectives as draw_objectives
from zumolib.figures import queues as draw_queues
from zumolib.figures import rounding, tables, times, words
from zumolib.figures import tasks as draw_tasks
from zumolib.figures import workers as draw_workers
from zumolib.frames import changes, objectives, queues, runs, tasks, workers
from zumolib.frames.window import Window
from zumolib.history import History

WINDOW = Window.until(recorded.END.replace(tzinfo=None).isoformat(), hours=48, zone="UTC")
HOUR, STEP = timedelta(hours=1), timedelta(minutes=30)

Say = Callable[[History], Any]

#   what a notebook shows
SHOWN: dict[str, Say] = {
    "depth": lambda h: draw_queues.depth(queues.depth(h, WINDOW)),
    "flow": lambda h: draw_queues.flow(tasks.throughput(h, WINDOW, by="queue")),
    "peaks": lambda h: tables.peaks(queues.peaks(h, WINDOW)),
    "load": lambda h: draw_workers.load(workers.load(h, WINDOW)),
    "workers": lambda h: tables.workers(workers.seen(h, WINDOW)),
    "by worker": lambda h: tables.by_worker(tasks.latency(h, WINDOW, by=["worker", "queue", "name"])),
    "kept": lambda h: draw_objectives.kept(objectives.kept(h, WINDOW)),
    "objectives": lambda h: tables.objectives(objectives.kept(h, WINDOW)),
    "changes": lambda h: times.changes(changes.slower(h, WINDOW, ago=timedelta(days=7))),
    "table of changes": lambda h: tables.changes(changes.slower(h, WINDOW, ago=timedelta(days=7))),
    "latency": lambda h: draw_tasks.latency(tasks.latency(h, WINDOW, by=["name", "queue"]), by="name"),
    "table of latency": lambda h: tables.latency(tasks.latency(h, WINDOW, by=["name", "queue"]), by="name"),
    "over time": lambda h: times.over_time(tasks.latency(h, WINDOW, by="queue", step=STEP)),
    "heat": lambda h: times.heat(tasks.latency(h, WINDOW, by=(), step=HOUR)),
    "slowest": lambda h: tables.slowest(runs.slowest(h, WINDOW, top=15)),
    "failures": lambda h: tables.failures(tasks.failures(h, WINDOW)),
}

WHOLE = ("failures", "flow", "kept", "objectives")  # whole numbers only


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return recorded.make(tmp_path_factory.mktemp("steady") / "history", with_past=True)


def written(shown: Any) -> str:
    """All that a notebook stores of it."""
    return (
        json.dumps(json.loads(shown.to_json()))
        if hasattr(shown, "to_json")
        else shown._repr_html_() + repr(shown)
    )


@pytest.fixture(params=[1, 2], ids=["one way", "the other way"])
def off(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """From the second call of the list's owner on, floats are one unit off; counts those that were."""
    chance = np.random.default_rng(request.param)
    count: list[Any] = [0]
    select, log10 = History.select, np.log10

    def shifted(values: Any) -> Any:
        found = np.asarray(values, "float64")
        count[0] += found.size
        return np.nextafter(found, np.where(chance.random(found.shape) < 0.5, -np.inf, np.inf))

    def off_select(self: History, *words: Any, **options: Any) -> pa.Table:
        table = select(self, *words, **options)
        for at, field in enumerate(table.schema):
            if field.type == pa.float64():
                column = table.column(at).combine_chunks()
                moved = pa.array(shifted(column.fill_null(0.0).to_numpy()), pa.float64())
                table = table.set_column(at, field, pa.compute.if_else(column.is_valid(), moved, None))
        return table

    def turn_on() -> None:
        monkeypatch.setattr(History, "select", off_select)
        monkeypatch.setattr(np, "log10", lambda values: shifted(log10(values)))

    count.append(turn_on)
    return count


@pytest.mark.parametrize("name", SHOWN)
def test_a_unit_in_the_last_place_does_not_show(name: str, history: History, off: list[Any]) -> None:
    as_here = written(SHOWN[name](history))
    off[1]()
    assert written(SHOWN[name](history)) == as_here
    assert off[0] > 0 or name in WHOLE, "something was off"


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.25, "0.2"), (0.35, "0.3"), (2.5, "2.5"), (1_234.45, "1,234.5"), (float("nan"), "–")],
)
def test_a_number_at_an_edge_is_said_alike(value: float, said: str) -> None:
    near = {words.decimal(float(np.nextafter(value, end))) for end in (-np.inf, np.inf)}
    assert near == {words.decimal(value)} == {said}


def test_figures_hold_six_digits() -> None:
    assert rounding.drawn(0.5743435579181239) == rounding.drawn(0.574343557918124) == 0.574344
    assert rounding.drawn(1_234_567.0) == 1_234_570.0
    assert np.isnan(rounding.drawn(float("nan")))
