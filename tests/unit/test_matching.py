"""An entry is concluded from name and time, once each, and marked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from zumolib.schedule.matching import match

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)


def tasks(*rows: tuple[str, float | None, str | None, str | None]) -> pd.DataFrame:
    """Name, seconds after noon at which it was sent, parent, entry; the index is in no order."""
    frame = pd.DataFrame(
        [
            {
                "name": name,
                "sent": pd.NaT if at is None else NOON + timedelta(seconds=at),
                "parent_id": parent,
                "entry": entry,
            }
            for name, at, parent, entry in rows
        ],
        columns=["name", "sent", "parent_id", "entry"],
        index=range(len(rows) * 10, 0, -10),
    )
    frame["sent"] = pd.to_datetime(frame["sent"], utc=True).astype("datetime64[us, UTC]")
    return frame.astype({"name": "str", "parent_id": "str", "entry": "str"})


def firings(*rows: tuple[float, str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["at", "entry", "task"])
    at = [NOON + timedelta(seconds=seconds) for seconds in frame["at"]]
    frame["at"] = pd.to_datetime(pd.Series(at, dtype=object), utc=True).astype("datetime64[us, UTC]")
    return frame


DUE = firings((0, "hourly", "a"), (0, "other", "b"), (60, "hourly", "a"))

# tasks, the entries that are found; None stays missing
CASES = [
    ([("a", 0.2, None, None)], ["hourly"]),
    ([("a", 14.9, None, None)], ["hourly"]),
    ([("a", 15.1, None, None)], [None]),
    ([("a", -0.9, None, None)], ["hourly"]),
    ([("a", -1.1, None, None)], [None]),
    ([("c", 0.2, None, None)], [None]),  # no entry has this task
    ([("a", 0.2, "parent", None)], [None]),  # a task sent it
    ([("a", None, None, None)], [None]),  # nobody knows when it was sent
    ([("a", 3, None, None), ("a", 0.2, None, None)], [None, "hourly"]),  # the second was called by hand
    ([("a", 0.2, None, "hourly"), ("a", 0.1, None, None)], ["hourly", None]),  # the firing is spent
    (
        [("a", 0.2, None, None), ("b", 0.3, None, None), ("a", 60.2, None, None)],
        ["hourly", "other", "hourly"],
    ),
    ([], []),
]


@pytest.mark.parametrize(("rows", "entries"), CASES)
def test_entries_are_found_by_name_and_time(
    rows: list[tuple[str, float, str, str]], entries: list[str | None]
):
    given = tasks(*rows)
    before = given.copy()
    found = match(given, DUE)
    assert [None if pd.isna(entry) else entry for entry in found["entry"]] == entries
    told = given["entry"].notna()
    assert found["entry_matched"].tolist() == (found["entry"].notna() & ~told).tolist()
    assert found["entry_matched"].dtype == bool
    assert found.index.tolist() == given.index.tolist()
    pd.testing.assert_frame_equal(given, before)


def test_two_entries_of_one_task_get_one_each():
    due = firings((0, "second", "a"), (0, "first", "a"))
    found = match(tasks(("a", 0.5, None, None), ("a", 0.1, None, None), ("a", 0.9, None, None)), due)
    assert [None if pd.isna(entry) else entry for entry in found["entry"]] == ["second", "first", None]


def test_no_firings_match_nothing():
    found = match(tasks(("a", 0.5, None, None)), firings())
    assert found["entry_matched"].tolist() == [False]
