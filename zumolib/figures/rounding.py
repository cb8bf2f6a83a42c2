"""Numbers as exact as they can be seen, and the same on every processor.

Two processors may disagree in the last of a float's 17 digits, and so may two orders of adding up. Nobody
sees that digit, so it is dropped before a number is drawn, written, compared or sorted by.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

DRAWN = 6  # significant digits of what a figure holds: a screen has fewer pixels
STEADY = 12  # significant digits that all processors agree in
LEAST = 1e-12  # what is smaller is 0, and has no sign


def steady(value: float) -> float:
    """The same number without the digits in which processors differ, so that it rounds alike everywhere."""
    return 0.0 if abs(value) < LEAST else float(f"{value:.{STEADY}g}")


def drawn(value: float) -> float:
    """A number to six significant digits."""
    return float(f"{steady(value):.{DRAWN}g}")


def figure(made: go.Figure) -> go.Figure:
    """A figure whose numbers have six significant digits; arrays of them take half of their space."""
    traces = [_plain(trace.to_plotly_json()) for trace in made.data]
    return go.Figure(traces, _plain(made.layout.to_plotly_json()), skip_invalid=False)


def _plain(value: Any) -> Any:
    match value:
        case bool() | int() | str() | None:
            return value
        case float() | np.floating():
            return drawn(float(value))
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case np.ndarray() if value.dtype.kind == "f":
            # Single precision holds seven digits. Each is rounded as a decimal first, so all processors agree.
            return np.array([drawn(inner) for inner in value.ravel().tolist()], "float32").reshape(
                value.shape
            )
        case np.ndarray() if value.dtype == object:
            return [_plain(inner) for inner in value.tolist()]
    return value
