"""What left, came or changed between two looks at the same rows."""

from __future__ import annotations

import pandas as pd
import pytest

from zumolib.widgets.changes import Changes


def tasks(**states: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"id": list(states), "name": ["shop.pay"] * len(states), "state": list(states.values())}, dtype="str"
    ).assign(age=[float(n) for n in range(len(states))])


#   before                now                       left  came  turned  text
CASES = [
    ({"a": "active"}, {"a": "active"}, 0, 0, 0, ""),
    ({"b": "active", "a": "active"}, {"a": "active", "b": "active"}, 0, 0, 0, ""),
    ({"a": "active"}, {}, 1, 0, 0, "1 task left the list"),
    ({"a": "reserved"}, {"a": "active"}, 0, 0, 1, "1 task changed"),
    ({"a": "active"}, {"a": "active", "b": "active", "c": "active"}, 0, 2, 0, "2 tasks came"),
    (
        {"a": "active", "b": "queued"}, {"b": "reserved", "c": "active"},
        1, 1, 1, "1 task left the list, 1 task changed and 1 task came",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("before", "now", "left", "came", "turned", "text"), CASES)
def test_two_looks_are_held_against_each_other(
    before: dict[str, str], now: dict[str, str], left: int, came: int, turned: int, text: str
) -> None:
    found = Changes.between(tasks(**before), tasks(**now), key="id")
    assert (found.left, found.came, found.turned) == (left, came, turned)
    assert bool(found) is bool(text)
    assert found.text("task", included=True) == text
    assert len(found.table) == left + came + turned


def test_each_change_is_listed_with_what_became_of_it() -> None:
    found = Changes.between(
        tasks(a="active", b="reserved"), tasks(b="active"), key="id", left_out=tasks(c="queued")
    )
    assert found.table[["since_the_preview", "id"]].to_numpy().tolist() == [
        ["left the list", "a"],
        ["came, not included", "c"],
        ["state: reserved → active", "b"],
    ]
    assert found.text("task", included=False).endswith("1 task came, which is not included")


def test_a_count_that_grew_is_a_change_and_what_is_hidden_is_none() -> None:
    before = pd.DataFrame({"queue": ["hr"], "task": ["shop.pay"], "count": [3]})
    found = Changes.between(before, before.assign(count=12_345), ignored=("queue",))
    assert found.table["since_the_preview"].tolist() == ["count: 3 → 12,345"]
    assert not Changes.between(before, before.assign(queue="ats"), ignored=("queue",))


def test_what_a_call_is_given_anew_at_every_look_is_no_change() -> None:
    row = {"task": ["shop.pay"], "priority": pd.array([None], dtype="Int64")}
    assert not Changes.between(pd.DataFrame({"id": ["a"], **row}), pd.DataFrame({"id": ["b"], **row}))
