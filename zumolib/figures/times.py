"""How long tasks took, over time: percentiles, a heat map, and what changed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from zumolib.figures import strips, theme, words
from zumolib.figures.rounding import steady
from zumolib.figures.tasks import LEAST, MEASURES, TICKS, row_names
from zumolib.figures.words import duration, literal, named, number

COLD, WARM = "#EEF4F9", "#E8923C"  # opaque and light enough for dark numbers, on any theme
TEXT = "#1D232B"
GROWN = 1.25  # times; below it a median moves by chance
REMEDY = "Start the stack with `zumo up`, or choose a window that the history covers."


def over_time(
    frame: pd.DataFrame, *, by: str = "queue", measure: str = "queue_wait", note: str = "", zone: str = "UTC"
) -> go.Figure:
    """Percentiles over time, one strip a group: the line is p95, the area below it p50.

    Parameters
    ----------
    frame
        ``at``, `by`, ``count`` and the quantiles of `measure` in seconds, as
        :func:`zumolib.frames.tasks.latency` gives it with a step.
    measure
        ``queue_wait`` or ``run_time``.
    """
    p50, p95 = f"{measure}_p50", f"{measure}_p95"
    timed = frame.dropna(subset=p95)
    if timed.empty:
        return theme.empty("No task ran in this window", remedy=REMEDY, note=note)
    highest = timed.groupby(by, observed=True)[p95].max().sort_values(ascending=False, kind="stable").head(12)
    moments = pd.DatetimeIndex(sorted(frame["at"].unique()))
    step = pd.Series(moments).diff().min()
    if len(moments) > 1:
        moments = pd.date_range(moments[0], moments[-1] + step, freq=step)
    figure = strips.of(len(highest))
    for row, (group, most) in enumerate(highest.items(), start=1):
        its = timed[timed[by] == group].set_index("at").reindex(moments)
        colour = theme.queue_colour(group) if by == "queue" else theme.ACCENT
        at = moments.tz_convert(zone).tz_localize(None)
        name = literal(named(group))
        figure.add_scatter(
            x=at, y=its[p50].fillna(0), mode="lines", line={"width": 0, "shape": "hv"}, fill="tozeroy",
            fillcolor=theme.faded(colour, 0.3), hoverinfo="skip", row=row, col=1,
        )  # fmt: skip
        figure.add_scatter(
            x=at,
            y=its[p95],
            mode="lines+markers",
            marker={"size": 2.5},
            line={"color": colour, "width": 1.6, "shape": "hv"},
            name=name,
            text=[f"p50 {duration(a)}, p95 {duration(b)}" for a, b in zip(its[p50], its[p95], strict=True)],
            hovertemplate=f"{name}: %{{text}}<br>%{{x|%d %b %H:%M}}<extra></extra>",
            row=row,
            col=1,
        )
        figure.update_yaxes(
            range=[0, max(most * 1.12, 0.1)], showticklabels=False, showgrid=False, row=row, col=1
        )
        strips.beside(
            figure, row, f"<b>{literal(named(group, 18))}</b>", x=-0.008, anchor="right", colour=colour
        )
        when = its.index[int(its[p95].argmax())].tz_convert(zone)
        text = f"up to <b>{duration(most)}</b> at {when:%a %H:%M}"
        strips.beside(figure, row, text, x=1.008, anchor="left", colour=theme.INK)
    strips.finish(figure, len(highest), zone)
    worst = timed.iloc[int(timed[p95].argmax())]
    title = (
        f"{MEASURES[measure]} of {literal(named(worst[by]))} was longest "
        f"{worst['at'].tz_convert(zone):on %a %d %b at %H:%M}: {duration(worst[p95])} at p95"
    )
    return theme.titled(figure, title, note=note, height=150 + strips.HEIGHT * len(highest))


def heat(
    frame: pd.DataFrame, *, measure: str = "queue_wait", label: str = "p95", note: str = "", zone: str = "UTC"
) -> go.Figure:
    """One quantile by day and hour, written into its cell; the colour follows its logarithm.

    Parameters
    ----------
    frame
        ``at`` (start of an hour), ``count`` and the quantiles, as :func:`zumolib.frames.tasks.latency` gives
        it without groups and with a step of an hour.
    """
    column = f"{measure}_{label}"
    timed = frame.dropna(subset=column)
    if timed.empty:
        return theme.empty("No task ran in this window", remedy=REMEDY, note=note)
    at = timed["at"].dt.tz_convert(zone)
    cells = timed.assign(day=at.dt.date, hour=at.dt.hour)
    # The hour that is told twice when clocks go back shows its worse half.
    grid = cells.pivot_table(index="day", columns="hour", values=column, aggfunc="max", observed=True)
    grid = grid.reindex(columns=range(24))
    values = np.log10(grid.to_numpy(dtype="float64").clip(min=0.01))
    figure = go.Figure(
        go.Heatmap(
            x=[f"{hour:02d}" for hour in range(24)],
            y=[f"{day:%a %d %b}" for day in grid.index],
            z=values,
            zmin=-1,
            zmax=max(2.0, float(np.nanmax(values))),
            text=[["" if np.isnan(v) else brief(v) for v in row] for row in grid.to_numpy(dtype="float64")],
            customdata=[[duration(v) for v in row] for row in grid.to_numpy(dtype="float64")],
            texttemplate="%{text}",
            textfont={"size": 11, "color": TEXT},
            colorscale=[[0, COLD], [1, WARM]],
            showscale=False,
            xgap=2,
            ygap=2,
            hoverongaps=False,
            hovertemplate="%{y} %{x}:00–%{x}:59: %{customdata}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(showgrid=False, title_text=f"hour of the day ({zone})", type="category")
    worst = timed.iloc[int(timed[column].argmax())]
    moment = worst["at"].tz_convert(zone)
    title = (
        f"{MEASURES[measure]} was longest on {moment:%a %d %b} from {moment:%H:%M}: {duration(worst[column])} "
        f"at {label}; half of the hours stayed below {duration(timed[column].median())}"
    )
    return theme.titled(figure, title, note=note, height=150 + 42 * len(grid))


def brief(seconds: float) -> str:
    """A duration for a narrow cell, in seconds or one larger unit: .05, 1.2, 34, 3m, 2h."""
    seconds = steady(seconds)
    if seconds < 0.095:
        return "0" if seconds < 0.005 else f"{seconds:.2f}".lstrip("0")
    if seconds < 9.95:
        return f"{seconds:.1f}"
    if seconds < 99.5:
        return f"{seconds:.0f}"
    return f"{seconds / 60:.0f}m" if seconds < 5_970 else f"{seconds / 3600:.0f}h"


def changes(
    frame: pd.DataFrame,
    *,
    by: str = "name",
    measure: str = "run_time",
    ago: str = "a week before",
    top: int = 10,
    note: str = "",
) -> go.Figure:
    """Medians before (hollow) and now (full), what grew most on top.

    Parameters
    ----------
    frame
        As :func:`zumolib.frames.changes.slower` gives it.
    """
    if frame.empty:
        return theme.empty(
            f"Nothing ran often enough both now and {ago} to be compared",
            remedy="Choose a longer window with the parameter <b>hours</b>; five runs are needed in each.",
            note=note,
        )
    shown = frame.head(top).iloc[::-1]
    labels = row_names(shown, by)
    queues = shown["queue"] if "queue" in shown else [None] * len(shown)
    colours = [theme.queue_colour(queue) if isinstance(queue, str) else theme.INK for queue in queues]
    then, now = shown["p50_before"].clip(lower=LEAST), shown["p50"].clip(lower=LEAST)
    figure = go.Figure()
    figure.add_scatter(
        x=[x for low, high in zip(then, now, strict=True) for x in (low, high, None)],
        y=[y for label in labels for y in (label, label, None)],
        mode="lines", line={"color": theme.GRID, "width": 5}, hoverinfo="skip",
    )  # fmt: skip
    for values, symbol, word in ((then, "circle-open", ago), (now, "circle", "now")):
        figure.add_scatter(
            x=values, y=labels, mode="markers", name=word,
            marker={"symbol": symbol, "size": 11, "color": colours, "line": {"width": 2, "color": colours}},
            text=[duration(value) for value in values],
            hovertemplate=f"%{{y}}<br>p50 {word}: %{{text}}<extra></extra>",
        )  # fmt: skip
    low, high = float(np.nanmin([then, now])), float(np.nanmax([then, now]))
    ticks = [tick for tick in TICKS if low / 12 < tick < high * 12]
    figure.update_xaxes(
        type="log", range=[np.log10(low) - 0.15, np.log10(high) + 0.35], tickvals=ticks,
        ticktext=[TICKS[tick] for tick in ticks], minor={"showgrid": False},
        title_text=f"{MEASURES[measure].lower()}, p50",
    )  # fmt: skip
    for label, value, times in zip(labels, np.maximum(then, now), shown["times"], strict=True):
        figure.add_annotation(
            x=np.log10(value), y=label, text=f"<b>{words.times(times)}×</b>",
            showarrow=False, xanchor="left", xshift=12, font={"size": 12},
        )  # fmt: skip
    figure.update_yaxes(showgrid=True, ticklabelstandoff=8)
    figure.add_annotation(
        text=f"○ {ago}   ● now", x=1, y=1, yshift=6, xref="paper", yref="paper", xanchor="right",
        yanchor="bottom", showarrow=False,
    )  # fmt: skip
    figure.update_layout(margin={"t": 92})
    return theme.titled(figure, _grown(frame, by, measure, ago), note=note, height=160 + 30 * len(shown))


def _grown(frame: pd.DataFrame, by: str, measure: str, ago: str) -> str:
    grown = frame[(frame["times"] >= GROWN) & (frame["added"] >= LEAST)]
    verb = "runs" if measure == "run_time" else "waits"
    if grown.empty:
        return f"Nothing {verb} clearly longer than {ago}, of {number(len(frame))} compared"
    first = grown.iloc[0]
    last = str(first[by]).rsplit(".", 1)[-1]
    times = words.times(first["times"])
    more = f"; {number(len(grown) - 1)} more got slower" if len(grown) > 1 else "; nothing else got slower"
    return (
        f"{literal(named(last))} {verb} {times} times as long as {ago}: {duration(first['p50'])}, "
        f"was {duration(first['p50_before'])}{more}"
    )
