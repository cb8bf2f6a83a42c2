"""Workers as pictures: how busy each was, and when it began anew."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from zumolib.figures import strips, theme
from zumolib.figures.words import counted, listed, literal, named, number

MOST = 12  # strips


def load(frame: pd.DataFrame, *, note: str = "", zone: str = "UTC") -> go.Figure:
    """Tasks at once of each worker over time, one strip a worker; a triangle marks a restart.

    Parameters
    ----------
    frame
        ``worker``, ``at``, ``active``, ``load1``, ``processed``, ``restarts``, as
        :func:`zumolib.frames.workers.load` gives it.
    """
    seen = frame.dropna(subset="active")
    if seen.empty:
        return theme.empty(
            "No worker sent a heartbeat in this window",
            remedy="Start one with `zumo up`, or choose a window that the history covers.",
            note=note,
        )
    totals = seen.groupby("worker")["processed"].sum().sort_values(ascending=False, kind="stable")
    names = list(totals.index[:MOST])
    figure = strips.of(len(names))
    for row, worker in enumerate(names, start=1):
        its = frame[frame["worker"] == worker]
        at = its["at"].dt.tz_convert(zone).dt.tz_localize(None)
        name = literal(named(worker))
        most = float(its["active"].max())
        figure.add_scatter(
            x=at, y=its["active"].fillna(0), mode="lines", line={"width": 0, "shape": "hv"}, fill="tozeroy",
            fillcolor=theme.faded(theme.STATES["STARTED"], 0.25), hoverinfo="skip", row=row, col=1,
        )  # fmt: skip
        figure.add_scatter(
            x=at,
            y=its["active"],
            mode="lines",
            line={"color": theme.STATES["STARTED"], "width": 1.5, "shape": "hv"},
            name=name,
            customdata=its["load1"],
            hovertemplate=f"{name}: %{{y:.0f}} at once, load %{{customdata:.1f}}<br>%{{x|%d %b %H:%M}}<extra></extra>",
            row=row,
            col=1,
        )
        begun = its["restarts"].fillna(0) > 0
        figure.add_scatter(
            x=at[begun],
            y=[0.0] * int(begun.sum()),
            mode="markers",
            marker={"symbol": "triangle-up", "size": 11, "color": theme.STATES["FAILURE"]},
            hovertemplate=f"{name} began anew<br>%{{x|%d %b %H:%M}}<extra></extra>",
            cliponaxis=False,
            row=row,
            col=1,
        )
        figure.update_yaxes(
            range=[0, max(most * 1.15, 1.2)], showticklabels=False, showgrid=False, row=row, col=1
        )
        strips.beside(
            figure, row, f"<b>{literal(named(worker, 22))}</b>", x=-0.008, anchor="right", colour=theme.INK
        )
        restarts = int(its["restarts"].sum())
        text = f"<b>{number(totals[worker])}</b> tasks, at most {number(most)} at once"
        text += f"<br>{counted(restarts, 'restart')}" if restarts else ""
        strips.beside(figure, row, text, x=1.008, anchor="left", colour=theme.INK)
    strips.finish(figure, len(names), zone)
    figure.update_layout(margin={"l": 170, "r": 216})
    return theme.titled(figure, _finding(seen, totals), note=note, height=150 + 64 * len(names))


def _finding(seen: pd.DataFrame, totals: pd.Series) -> str:
    restarts = seen.groupby("worker")["restarts"].sum()
    again = [literal(named(worker)) for worker in restarts[restarts > 0].index]
    busiest = literal(named(totals.index[0]))
    part = f"{busiest} took up {counted(totals.iloc[0], 'task')}"
    if len(totals) > 1:
        part += f" of {number(totals.sum())}"
    if not again:
        return f"{part}; no worker began anew"
    if len(again) == 1:
        times = int(restarts.sum())
        return f"{part}; {again[0]} began anew {'once' if times == 1 else f'{times} times'}"
    return f"{part}; {listed(again[:3])} began anew"
