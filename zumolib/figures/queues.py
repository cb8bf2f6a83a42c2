"""Queue depth as pictures."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from zumolib.figures import strips, theme
from zumolib.figures.words import counted, decimal, listed, literal, named, number

FLOOR = 10  # messages: a strip's scale never zooms in on less, so that quiet queues look quiet


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
    figure = strips.of(len(peaks))
    for row, (queue, peak) in enumerate(peaks.items(), start=1):
        its = frame[frame["queue"] == queue].sort_values("at")
        at = its["at"].dt.tz_convert(zone).dt.tz_localize(None)
        colour = theme.queue_colour(queue)
        name = literal(named(queue))
        # The area is a trace of its own that lies on the ground where nothing was sampled: plotly fills
        # from one side of a gap to the other.
        figure.add_scatter(
            x=at,
            y=its["ready"].fillna(0),
            mode="lines",
            line={"width": 0, "shape": "hv"},
            fill="tozeroy",
            fillcolor=theme.faded(colour, 0.22),
            hoverinfo="skip",
            row=row,
            col=1,
        )
        figure.add_scatter(
            x=at,
            y=its["ready"],
            mode="lines",
            line={"color": colour, "width": 1.6, "shape": "hv"},
            name=name,
            hovertemplate=f"{name}: %{{y:,.0f}} ready<br>%{{x|%d %b %H:%M}}<extra></extra>",
            row=row,
            col=1,
        )
        figure.update_yaxes(
            range=[0, max(peak * 1.12, FLOOR)], showticklabels=False, showgrid=False, row=row, col=1
        )
        strips.beside(
            figure, row, f"<b>{literal(named(queue, 20))}</b>", x=-0.008, anchor="right", colour=colour
        )
        strips.beside(figure, row, _peak(its, peak, zone), x=1.008, anchor="left", colour=theme.INK)
    strips.finish(figure, len(peaks), zone)
    return theme.titled(
        figure, _finding(sampled, peaks, zone), note=note, height=150 + strips.HEIGHT * len(peaks)
    )


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
    deepest, peak = peaks.index[0], peaks.iloc[0]
    queue = literal(named(deepest))
    if peak == 0:
        return f"All {len(peaks)} queues stayed empty" if len(peaks) > 1 else f"{queue} stayed empty"
    several_days = sampled["at"].dt.tz_convert(zone).dt.date.nunique() > 1
    at = _highest(sampled[sampled["queue"] == deepest], zone)
    when = f"on {at:%a %d %b at %H:%M}" if several_days else f"at {at:%H:%M}"
    others = peaks.iloc[1:]
    if peak <= FLOOR and len(others):
        return f"No queue had more than {counted(peak, 'message')} waiting; {queue} did {when}"
    finding = f"{queue} peaked at {counted(peak, 'message')} {when}"
    last = sampled.groupby("queue", observed=True)["ready"].last()
    waiting = [literal(named(name)) for name in last[last > FLOOR].sort_values(ascending=False).index]
    if waiting:
        return f"{finding}; {listed(waiting[:3])} still had a backlog at the end"
    return (
        f"{finding}; the other {len(others)} stayed at {number(others.max())} or fewer"
        if len(others)
        else finding
    )


def flow(frame: pd.DataFrame, *, queue: str = "", note: str = "", zone: str = "UTC") -> go.Figure:
    """Tasks sent and tasks started over time, with what was left behind between them.

    Parameters
    ----------
    frame
        ``at``, ``sent`` and ``started`` (tasks in each stretch), as :func:`zumolib.frames.tasks.throughput`
        gives it; several groups are added up.
    queue
        Whose they are, for the title.
    """
    total = frame.groupby("at")[["sent", "started"]].sum()
    if not total.to_numpy().sum():
        return theme.empty(
            "No task was sent in this window",
            remedy="Start the stack with `zumo up`, or choose a window that the history covers.",
            note=note,
        )
    local = pd.DatetimeIndex(total.index).tz_convert(zone)
    at = local.tz_localize(None)
    minutes = (local[1] - local[0]).total_seconds() / 60 if len(local) > 1 else 1.0
    figure = go.Figure()
    for column, state, word in (("sent", "PENDING", "sent"), ("started", "STARTED", "started")):
        colour = theme.STATES[state] if column == "started" else theme.INK
        figure.add_scatter(
            x=at,
            y=total[column] / minutes,
            mode="lines",
            line={
                "color": colour,
                "width": 1.8,
                "shape": "hv",
                "dash": "dot" if column == "sent" else "solid",
            },
            name=word,
            hovertemplate=f"{word}: %{{y:,.1f}} a minute<br>%{{x|%d %b %H:%M}}<extra></extra>",
        )
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
        margin={"t": 92},
    )
    figure.update_yaxes(rangemode="tozero", title_text="tasks a minute", nticks=5)
    figure.update_xaxes(title_text=f"time ({zone})", tickformat="%H:%M\n%a %d %b", showgrid=False)
    busiest = (total["sent"] / minutes).max()
    when = f"{local[int(total['sent'].argmax())]:%a %H:%M}"
    whose = f"{literal(queue)} got" if queue else "The queues got"
    behind = int(total["sent"].sum() - total["started"].sum())
    title = f"{whose} at most {decimal(busiest)} tasks a minute, on {when}"
    if behind > FLOOR:
        title += f"; {counted(behind, 'task')} more were sent than started"
    return theme.titled(figure, title, note=note, height=280)
