"""A panel acts on the rows that it shows: no more, and not on what came later."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from celery import Celery

from tests.unit.widgets.plans import Count, count
from zumolib.widgets.choosing import Choosing


class Rows(Choosing):
    """Rows that a test changes beneath it."""

    def __init__(self, app: Celery) -> None:
        self.there = ["red 1", "red 2", "blue 3"]
        self.running: set[str] = set()
        self.refused: set[str] = set()
        self.made: list[Count] = []
        super().__init__("Count rows", [], app=app, zone="UTC", empty="There is no row.")

    def matching(self, values: dict[str, Any]) -> pd.DataFrame:
        return pd.DataFrame(
            {"id": pd.Series(self.there, dtype="str"), "name": pd.Series(self.there, dtype="str")}
        )

    def planned(self, ids: list[str], values: dict[str, Any]) -> Count:
        ids = [row for row in ids if row not in self.refused]
        made = count(self.app, ids)
        made.preview["id"] = pd.Series(ids, dtype="str")
        made.preview["state"] = ["active" if row in self.running else "reserved" for row in ids]
        self.made.append(made)
        return made

    @property
    def done(self) -> list[str]:
        return [name for made in self.made for name in made.done]

    @property
    def message(self) -> str:
        return str(self._message.value)


@pytest.fixture
def panel(app: Celery) -> Rows:
    made = Rows(app)
    made.form["which"].control.value = "all"
    made.look()
    return made


def shown(panel: Rows) -> list[str]:
    return list(panel.rows.frame["id"])


def test_all_that_match_are_all_that_are_shown(panel: Rows) -> None:
    panel.form["typed"].control.value = "RED"
    panel.look()
    assert shown(panel) == ["red 1", "red 2"]
    assert panel._confirm.description == "Count 2 names"
    panel.there.append("red 4")  # a new one arrives, and the filter holds
    panel.look()
    assert shown(panel) == ["red 1", "red 2", "red 4"]
    panel.apply()
    assert panel.done == ["red 1", "red 2", "red 4"]


def test_what_came_after_the_preview_is_said_and_not_taken(panel: Rows) -> None:
    panel.there.append("green 4")
    panel.apply()
    assert panel.done == []
    assert "1 task came, which is not included" in panel.message
    assert not panel._confirm.disabled
    panel.there.append("green 5")  # and one more: only what was shown is meant
    panel.apply()
    assert panel.done == ["red 1", "red 2", "blue 3"]


def test_what_left_since_the_preview_is_said_and_left_out(panel: Rows) -> None:
    panel.there.remove("red 1")
    panel.apply()
    assert panel.done == []
    assert "1 task left the list" in panel.message
    assert panel._confirm.description == "Count 2 names"
    panel.apply()
    assert panel.done == ["red 2", "blue 3"]


def test_a_task_that_began_to_run_since_the_preview_is_said(panel: Rows) -> None:
    panel.running.add("blue 3")
    panel.apply()
    assert panel.done == []
    assert "since the preview 1 task changed. Press again for what is shown" in panel.message
    assert "state: reserved → active" in panel.preview.box.children[0].value
    panel.apply()
    assert panel.done == ["red 1", "red 2", "blue 3"]


def test_the_table_shows_what_the_button_acts_on(panel: Rows) -> None:
    panel.there[:] = ["red 2", "green 4", "blue 3"]
    panel.apply()
    assert panel._confirm.description == "Count 2 names"
    assert shown(panel) == ["red 2", "blue 3"]
    listed = panel.preview.box.children[0].value
    assert "came, not included" in listed
    assert "green 4" in listed


def test_what_is_refused_did_not_come(panel: Rows) -> None:
    """Rows that match and that the plan leaves out were there when the preview was made."""
    panel.refused.add("red 1")
    panel.look()
    panel.apply()
    assert panel.done == ["red 2", "blue 3"]


def test_what_was_refused_since_the_preview_left(panel: Rows) -> None:
    panel.refused.add("red 1")  # somebody else retried it
    panel.apply()
    assert panel.done == []
    assert "1 task left the list" in panel.message
    panel.apply()
    assert panel.done == ["red 2", "blue 3"]


def test_rows_of_an_earlier_look_that_come_late_are_not_shown(panel: Rows) -> None:
    panel.form["typed"].control.value = "blue"
    panel.look()
    panel._found(panel._asked - 1, panel.matching({}))
    assert shown(panel) == ["blue 3"]
    assert panel._confirm.description == "Count 1 names"


def test_when_all_have_left_nothing_is_sent(panel: Rows) -> None:
    panel.there.clear()
    panel.apply()
    panel.apply()
    assert panel.done == []
    assert "Nothing is left to do: 3 tasks left the list" in panel.message


def test_a_choice_of_rows_is_not_asked_for_what_came(app: Celery) -> None:
    panel = Rows(app)
    panel.look()
    panel.rows._grid.selected_rows = [1]
    panel.look()
    panel.there.append("green 4")
    panel.apply()
    assert panel.done == ["red 2"]


def test_where_all_are_acted_on_no_row_stands_out(panel: Rows) -> None:
    panel.form["which"].control.value = "chosen"
    panel.rows._grid.selected_rows = [1]
    panel.look()
    assert panel._confirm.description == "Count 1 names"
    panel.form["which"].control.value = "all"
    assert panel.rows._grid.selected_rows == []
    assert panel._confirm.description == "Count 3 names"


def test_a_click_on_a_row_means_that_row(panel: Rows) -> None:
    panel.rows._grid.selected_rows = [2]
    assert panel.form["which"].control.value == "chosen"
    assert panel._confirm.description == "Count 1 names"
    panel.apply()
    assert panel.done == ["blue 3"]


def test_a_change_of_the_form_asks_for_a_new_comparison(panel: Rows) -> None:
    panel.there.append("green 4")
    panel.apply()
    panel.form["typed"].control.value = "blue"
    panel.look()
    panel.there.append("blue 5")
    panel.apply()
    assert panel.done == []
    assert "1 task came, which is not included" in panel.message
