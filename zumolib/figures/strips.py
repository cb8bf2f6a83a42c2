"""Strips: one small chart a row, each with a scale of its own and its extreme written beside it."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.subplots import make_subplots

HEIGHT = 50  # pixels


def of(rows: int) -> go.Figure:
    """An empty figure with so many strips over one axis of time."""
    return make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.012)


def beside(figure: go.Figure, row: int, text: str, *, x: float, anchor: str, colour: str) -> None:
    """Write text left (x below 0) or right of a strip."""
    axis = "y" if row == 1 else f"y{row}"
    figure.add_annotation(
        text=text, x=x, xref="paper", xanchor=anchor, y=0.5, yref=f"{axis} domain", yanchor="middle",
        showarrow=False, font={"color": colour, "size": 12}, align="left",
    )  # fmt: skip


def finish(figure: go.Figure, rows: int, zone: str) -> go.Figure:
    """Margins for the text beside the strips, and the axis of time below the last one."""
    figure.update_xaxes(showgrid=True, showline=False, tickformat="%H:%M\n%a %d %b")
    figure.update_xaxes(title_text=f"time ({zone})", row=rows, col=1)
    return figure.update_layout(margin={"l": 96, "r": 206})
