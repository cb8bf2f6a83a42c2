"""Objectives as a picture: what share was kept of what was promised."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from zumolib.figures import theme
from zumolib.figures.words import counted, decimal, duration, listed, literal, named, number, records, share


def kept(frame: pd.DataFrame, *, note: str = "") -> go.Figure:
    """Each queue's share of tasks that started in time, beside the share that was wanted.

    Parameters
    ----------
    frame
        As :func:`zumolib.frames.objectives.kept` gives it.
    """
    counted_ones = frame[frame["count"] > 0]
    if counted_ones.empty:
        return theme.empty(
            "No task started in this window, so no objective was tried",
            remedy="Start the stack with `zumo up`, or choose a window that the history covers.",
            note=note,
        )
    shown = counted_ones.iloc[::-1]
    labels = [
        f"{literal(named(row.queue))} <span style='font-weight:400'>within {duration(row.within)}</span>"
        for row in records(shown)
    ]
    figure = go.Figure(
        go.Bar(
            x=shown["share"],
            y=labels,
            orientation="h",
            marker={"color": [theme.queue_colour(queue) for queue in shown["queue"]]},
            hovertemplate="%{y}: %{x:.2%}<extra></extra>",
        )
    )
    figure.add_scatter(
        x=shown["target"],
        y=labels,
        mode="markers",
        marker={"symbol": "line-ns", "size": 20, "line": {"width": 3, "color": theme.INK}},
        hovertemplate="wanted: %{x:.1%}<extra></extra>",
    )
    # Beside the longest bar, so that no mark lies on it.
    figure.add_scatter(
        x=[1.02] * len(shown),
        y=labels,
        mode="text",
        text=[_budget(row) for row in records(shown)],
        textposition="middle right",
        hoverinfo="skip",
        cliponaxis=False,
    )
    figure.update_xaxes(range=[0, 1.75], tickvals=[0, 0.25, 0.5, 0.75, 1], tickformat=".0%", showgrid=True)
    figure.update_yaxes(showgrid=False, ticklabelstandoff=8)
    figure.add_annotation(
        text="┃ wanted", x=1, y=1, yshift=4, xref="paper", yref="paper", xanchor="right", yanchor="bottom",
        showarrow=False,
    )  # fmt: skip
    return theme.titled(figure, _finding(counted_ones), note=note, height=130 + 32 * len(shown))


def _budget(row: Any) -> str:
    late, allowed = row.late, row.allowed
    left = allowed - late
    kept_share = share(row.share)
    if left < 0:
        return f"<b>{kept_share}</b>, {number(late)} late, {decimal(allowed)} allowed"
    return f"<b>{kept_share}</b>, {share(row.budget)} of its budget left"


def _finding(frame: pd.DataFrame) -> str:
    missed = frame[frame["late"] > frame["allowed"]]
    if missed.empty:
        names = f"All {len(frame)} queues" if len(frame) > 1 else literal(named(frame["queue"].iloc[0]))
        return f"{names} kept their objective" if len(frame) > 1 else f"{names} kept its objective"
    worst = missed.iloc[0]
    others = [literal(named(queue)) for queue in missed["queue"].iloc[1:]]
    title = (
        f"{literal(named(worst['queue']))} missed its objective: {share(worst['share'])} started within "
        f"{duration(worst['within'])}, {share(worst['target'])} wanted"
    )
    if not others:
        return title
    return (
        f"{title}; so did {listed(others)}"
        if len(others) < 4
        else f"{title}; so did {counted(len(others), 'other')}"
    )
