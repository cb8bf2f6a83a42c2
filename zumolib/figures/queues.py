"""Queue depth as pictures."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from zumolib.figures import theme
from zumolib.figures.words import counted, listed, number

FLOOR = 10  # messages: a strip's scale never zooms in on less, so that quiet queues look quiet
STRIP = 50  # pixels


def depth(frame: pd.DataFrame, *, note: str = "", zone: str = "UTC") -> go.Figure:
    """Messages ready over time, one strip a queue, the deepest on top.

    Each strip has its own scale with its peak written beside it, since on one scale a busy queue would
    flatten all others; a break in the line means that nothing was sampled.

    Parameters
    ----------
    frame
        ``queue``, ``at`` (UTC), ``ready`` (messages), as :func:`zumolib.frames.queues.depth` gives it.
    note
        Source and age, shown as subtitle.
    zone
        IANA name of the zone to show times in.
    """
    sampled = frame.dropna(subset="ready")
    if sampled.empty:
        return theme.empty(
            "No queue depth was recorded in this window",
            remedy="Start the recorder with `zumo up`, or choose a window that the history covers.",
            note=note,
        )
    peaks = sampled.groupby("queue", observed=True)["ready"].max().sort_values(ascending=False, kind="stable")
    figure = make_subplots(rows=len(peaks), cols=1, shared_xaxes=True, vertical_spacing=0.012)
    for row, (queue, peak) in enumerate(peaks.items(), start=1):
        its = frame[frame["queue"] == queue].sort_values("at")
        at = its["at"].dt.tz_convert(zone).dt.tz_localize(None)
        colour = theme.queue_colour(queue)
        figure.add_scatter(
            x=at,
            y=its["ready"],
            mode="lines",
            line={"color": colour, "width": 1.6, "shape": "hv"},
            fill="tozeroy",
            fillcolor=theme.faded(colour, 0.22),
            name=str(queue),
            hovertemplate=f"{queue}: %{{y:,.0f}} ready<br>%{{x|%d %b %H:%M}}<extra></extra>",
            row=row,
            col=1,
        )
        figure.update_yaxes(
            range=[0, max(peak * 1.12, FLOOR)], showticklabels=False, showgrid=False, row=row, col=1
        )
        _beside(figure, row, f"<b>{queue}</b>", x=-0.008, anchor="right", colour=colour)
        _beside(figure, row, _peak(its, peak, zone), x=1.008, anchor="left", colour=theme.INK)
    figure.update_xaxes(showgrid=True, showline=False, tickformat="%H:%M\n%a %d %b")
    figure.update_xaxes(title_text=f"time ({zone})", row=len(peaks), col=1)
    figure.update_layout(margin={"l": 96, "r": 170})
    return theme.titled(figure, _finding(sampled, peaks, zone), note=note, height=150 + STRIP * len(peaks))


def _beside(figure: go.Figure, row: int, text: str, *, x: float, anchor: str, colour: str) -> None:
    axis = "y" if row == 1 else f"y{row}"
    figure.add_annotation(
        text=text, x=x, xref="paper", xanchor=anchor, y=0.5, yref=f"{axis} domain", yanchor="middle",
        showarrow=False, font={"color": colour, "size": 12}, align="left",
    )  # fmt: skip


def _peak(its: pd.DataFrame, peak: float, zone: str) -> str:
    last = its["ready"].dropna().iloc[-1]
    if peak == 0:
        return "empty throughout"
    several_days = its["at"].iloc[-1] - its["at"].iloc[0] > pd.Timedelta(days=1)
    when = _highest(its, zone).strftime("%a %H:%M" if several_days else "%H:%M")
    return f"peak <b>{number(peak)}</b> at {when}, last {number(last)}"


def _highest(its: pd.DataFrame, zone: str) -> pd.Timestamp:
    return its["at"].iloc[int(its["ready"].argmax())].tz_convert(zone)


def _finding(sampled: pd.DataFrame, peaks: pd.Series, zone: str) -> str:
    queue, peak = peaks.index[0], peaks.iloc[0]
    if peak == 0:
        return f"All {len(peaks)} queues stayed empty" if len(peaks) > 1 else f"{queue} stayed empty"
    several_days = sampled["at"].dt.tz_convert(zone).dt.date.nunique() > 1
    at = _highest(sampled[sampled["queue"] == queue], zone)
    when = f"on {at:%a %d %b at %H:%M}" if several_days else f"at {at:%H:%M}"
    others = peaks.iloc[1:]
    if peak <= FLOOR and len(others):
        return f"No queue had more than {counted(peak, 'message')} waiting; {queue} did {when}"
    finding = f"{queue} peaked at {counted(peak, 'message')} {when}"
    last = sampled.groupby("queue", observed=True)["ready"].last()
    waiting = [str(name) for name in last[last > FLOOR].sort_values(ascending=False).index]
    if waiting:
        return f"{finding}; {listed(waiting[:3])} still had a backlog at the end"
    return (
        f"{finding}; the other {len(others)} stayed at {number(others.max())} or fewer"
        if len(others)
        else finding
    )
