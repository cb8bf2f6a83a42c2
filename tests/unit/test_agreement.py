"""Outputs that differ in what nobody sees agree; whatever else differs does not."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
import pytest

from tests.agreement import toward

FIGURE = {
    "data": [{"x": [1.5, 0.574344], "y": ["a", "b"], "z": [[0.1, None]]}],
    "layout": {"title": "up to 1.2 s"},
}
ROW = "<tr><td>run_time</td><td>12.34567</td><td>3 min 20 s</td></tr>"

#   new                                         stored                    agree
PAIRS: list[tuple[Any, Any, bool]] = [
    (0.574344, 0.574343, True),
    (0.5744, 0.5743, False),  # one ten thousandth
    (1.01, 1.0, False),
    (1.0, 1, True),
    (2, 3, False),
    (None, 0.0, False),
    (float("nan"), 0.0, False),
    ([1.0, 2.0], [1.0], False),
    ([1.0], [1.0, 2.0], False),
    ({"x": 1.0}, {"x": 1.0, "y": 2.0}, False),
    (ROW, ROW.replace("12.34567", "12.34568"), True),
    (ROW, ROW.replace("12.34567", "12.44567"), False),
    (ROW, ROW.replace("run_time", "queue_wait"), False),
    (ROW, ROW.replace("3 min", "4 min"), False),
    (ROW, ROW + ROW, False),
    ("version 1.2.3", "version 1.2.4", False),
    ("at 10:00:00.5", "at 10:00:01.5", False),
]


@pytest.mark.parametrize(("new", "stored", "agree"), PAIRS)
def test_agreement(new: Any, stored: Any, agree: bool) -> None:
    assert (toward(new, stored) == stored) is agree


def array(*values: float, shape: str | None = None) -> dict[str, Any]:
    packed = {"dtype": "f4", "bdata": b64encode(np.array(values, "float32").tobytes()).decode()}
    return packed | ({"shape": shape} if shape else {})


#   new                         stored                     agree
ARRAYS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    (array(1.00001, float("nan")), array(1.0, float("nan")), True),
    (array(1.01, 2.0), array(1.0, 2.0), False),
    (array(1.0, 2.0), array(1.0), False),
    (array(1.0, float("nan")), array(1.0, 0.0), False),
    (array(1.0, 2.0, shape="1, 2"), array(1.0, 2.0, shape="2, 1"), False),
]


@pytest.mark.parametrize(("new", "stored", "agree"), ARRAYS)
def test_typed_arrays_agree_by_value(new: dict[str, Any], stored: dict[str, Any], agree: bool) -> None:
    assert (toward(new, stored) == stored) is agree


def changed(**parts: Any) -> dict[str, Any]:
    return {"data": [{**FIGURE["data"][0], **parts}], "layout": FIGURE["layout"]}


def test_a_figure_that_is_as_exact_as_it_can_be_seen_agrees() -> None:
    assert toward(changed(x=[1.500001, 0.574343]), FIGURE) == FIGURE


@pytest.mark.parametrize(
    "parts", [{"x": [1.515, 0.574344]}, {"y": ["a", "c"]}, {"x": [1.5]}, {"name": "more"}]
)
def test_a_figure_that_says_something_else_does_not(parts: dict[str, Any]) -> None:
    assert toward(changed(**parts), FIGURE) != FIGURE


def test_another_title_is_another_figure() -> None:
    assert toward({**FIGURE, "layout": {"title": "up to 1.3 s"}}, FIGURE) != FIGURE
