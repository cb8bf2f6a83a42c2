from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from zumolib import widgets
from zumolib.widgets import grid
from zumolib.widgets.grid import Rows

HOSTILE = "<img src=x onerror=alert(1)>"


def frame(rows: int) -> pd.DataFrame:
    at = pd.date_range("2026-11-01", periods=rows, freq="min", tz="UTC")
    return pd.DataFrame(
        {
            "id": [f"id-{n}" for n in range(rows)],
            "name": "ats.tasks.send",
            "count": np.arange(rows)[::-1],
            "since": at,
            "error": [HOSTILE if n % 10 == 0 else "" for n in range(rows)],
        }
    )


def test_a_hundred_thousand_rows_are_made_ready_in_seconds() -> None:
    began = time.process_time()
    made = grid.grid(frame(100_000))
    assert time.process_time() - began < 20  # seconds of one core; it needs 3
    data = json.loads(made._dt_args["data_json"])
    assert len(data) == 100_000
    assert "downsampling_warning" not in made._dt_args or not made._dt_args["downsampling_warning"]


def test_what_is_said_in_words_is_sorted_as_what_it_is() -> None:
    rows = pd.DataFrame(
        {
            "name": ["a", "b", "c", "d"],
            "run_time": [1.5, np.nan, 90.0, 0.2],  # 1.5 s, –, 1 min 30 s, 200 ms
            "at": pd.to_datetime(["2026-02-01", "2026-11-01", None, "2026-01-30"], utc=True),
            "count": [10, 9, 8, 7],
        }
    )
    made = grid.grid(rows)._dt_args
    data = json.loads(made["data_json"])
    orders = {d["targets"][0]: d["orderData"][0] for d in made["columnDefs"] if "orderData" in d}
    hidden = [d["targets"][0] for d in made["columnDefs"] if d.get("visible") is False]
    assert sorted(orders) == [1, 2]
    assert sorted(orders.values()) == hidden
    by_run_time, by_time = ([row[orders[c]] for row in data] for c in (1, 2))
    assert [row[0] for _, row in sorted(zip(by_run_time, data, strict=True))] == ["b", "d", "a", "c"]
    assert [row[0] for _, row in sorted(zip(by_time, data, strict=True))] == ["c", "d", "a", "b"]


def test_markup_in_a_value_is_escaped() -> None:
    made = grid.grid(frame(20))
    assert "<img" not in json.dumps(made._dt_args)
    assert "&lt;img" in made._dt_args["data_json"]


def test_no_rows_say_what_that_means() -> None:
    assert "No task" in grid.grid(frame(0), empty="No task waits.").value


def test_what_was_chosen_stays_chosen_in_other_rows() -> None:
    told: list[int] = []
    rows = Rows("id", lambda: told.append(1), zone="UTC", empty="none")
    rows.show(frame(5))
    rows._grid.selected_rows = [1, 3]
    assert rows.chosen == ["id-1", "id-3"]
    assert told == [1]
    rows.show(frame(5).iloc[2:])
    assert rows.chosen == ["id-3"]


def test_a_choice_means_the_rows_of_the_table_in_which_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows("id", lambda: None, zone="UTC", empty="none")
    rows.show(frame(5))
    rows._grid.selected_rows = [1]
    while_made: list[list[str]] = []
    make = grid.grid

    def slowly(*arguments: Any, **options: Any) -> Any:
        while_made.append(rows.chosen)  # as somebody asks while the next table is in the making
        return make(*arguments, **options)

    monkeypatch.setattr(grid, "grid", slowly)
    rows.show(frame(5).iloc[::-1])
    assert [*while_made, rows.chosen] == [["id-1"], ["id-1"]]


def test_only_a_table_on_which_nothing_acts_has_a_filter_of_its_own() -> None:
    assert grid.grid(frame(20))._dt_args["layout"]["topEnd"] is None
    assert grid.grid(frame(20), select=True)._dt_args["layout"]["topEnd"] is None
    assert grid.grid(frame(20), search=True)._dt_args["layout"]["topEnd"] == "search"


def test_one_row_is_chosen_where_one_is_acted_on() -> None:
    assert grid.grid(frame(3), select=True)._dt_args["select"]["style"] == "multi"
    assert grid.grid(frame(3), select=True, several=False)._dt_args["select"]["style"] == "single"


def test_a_table_is_interactive_for_people_and_plain_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = widgets.table(frame(30))
    assert "application/vnd.jupyter.widget-view+json" in shown._repr_mimebundle_()
    monkeypatch.setattr(grid, "headless", lambda: True)
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert "and 10 more" in bundle["text/html"]
    assert "<img" not in bundle["text/html"]
