"""Task latency, states and failures as pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from zumolib.figures import theme
from zumolib.figures.words import counted, duration, listed, literal, named, number, share

# Ticks that a person would choose, in seconds.
TICKS = {
    0.001: "≤ 1 ms", 0.01: "10 ms", 0.1: "100 ms", 1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min",
    3_600: "1 h", 36_000: "10 h", 172_800: "2 d",
}  # fmt: skip
LEAST = 0.001  # seconds: a log axis has no 0, so what is shorter stands on this edge
OFTEN = 5  # runs
ROW = 30  # pixels
MEASURES = {"queue_wait": "Queue wait", "run_time": "Run time"}
OUTCOMES = {
    "FAILURE": "failed", "REVOKED": "revoked", "REJECTED": "rejected", "RETRY": "waiting for a retry",
    "STARTED": "running", "RECEIVED": "reserved", "PENDING": "waiting",
}  # fmt: skip
MARKS = {"p50": "circle", "p95": "diamond", "p99": "line-ns"}


def latency(frame: pd.DataFrame, *, by: str = "name", top: int = 15, note: str = "") -> go.Figure:
    """Queue wait and run time of each task side by side: p50, p95 and p99 on one log scale.

    Parameters
    ----------
    frame
        `by`, ``count`` and the quantiles in seconds, as :func:`zumolib.frames.tasks.latency` gives it; with
        ``queue`` as well, rows have their queue's colour.
    by
        The column that names the rows; a name that stands twice is told with its queue.
    top
        Show so many rows at most, those of the longest p95 queue wait, then run time.
    note
        Source and age, shown as subtitle.
    """
    timed = frame.dropna(subset=["run_time_p50"])
    if timed.empty:
        return theme.empty(
            "No task ran in this window",
            remedy="Start the stack with `zumo up`, or choose a window that the history covers.",
            note=note,
        )
    shown = timed.head(top).iloc[::-1]
    labels = [
        f"{name}  <b>{number(count)}×</b>"
        for name, count in zip(row_names(shown, by), shown["count"], strict=True)
    ]
    queues = shown["queue"] if "queue" in shown else [None] * len(shown)
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=tuple(MEASURES.values())
    )
    limits = [f"{measure}_{label}" for measure in MEASURES for label in MARKS]
    low, high = np.nanmin(shown[limits].clip(lower=LEAST)), np.nanmax(shown[limits].clip(lower=LEAST))
    for column, measure in enumerate(MEASURES, start=1):
        _ranges(
            figure,
            shown,
            measure,
            labels,
            [theme.queue_colour(queue) if isinstance(queue, str) else theme.INK for queue in queues],
            column,
        )
        ticks = [tick for tick in TICKS if low / 12 < tick < high * 12]
        figure.update_xaxes(
            type="log",
            range=[np.log10(low) - 0.12, np.log10(high) + 0.18],
            tickvals=ticks,
            ticktext=[TICKS[tick] for tick in ticks],
            minor={"showgrid": False},
            row=1,
            col=column,
        )
    figure.update_yaxes(showgrid=True, ticklabelstandoff=8)
    figure.update_layout(margin={"t": 112})
    figure.update_annotations(font={"size": 13})
    figure.add_annotation(
        text="● p50   ◆ p95   ┃ p99", x=1, y=1, yshift=26, xref="paper", yref="paper", xanchor="right",
        yanchor="bottom", showarrow=False,
    )  # fmt: skip
    rest = len(timed) - len(shown)
    if rest:
        note = f"{note}; {counted(rest, 'more task')} waited less" if note else f"{rest} more waited less"
    return theme.titled(figure, _finding(timed, by), note=note, height=170 + ROW * len(shown))


def row_names(shown: pd.DataFrame, by: str) -> list[str]:
    """What names the rows; a name that stands twice is told with its queue."""
    names = [literal(named(value)) for value in shown[by]]
    if "queue" in shown:
        names = [
            f"{name} · {literal(named(queue))}" if names.count(name) > 1 else name
            for name, queue in zip(names, shown["queue"], strict=True)
        ]
    return names


def _ranges(
    figure: go.Figure, shown: pd.DataFrame, measure: str, labels: list[str], colours: list[str], column: int
) -> None:
    spans = {label: shown[f"{measure}_{label}"] for label in MARKS}
    lows, highs = spans["p50"].clip(lower=LEAST), spans["p99"].clip(lower=LEAST)
    # One line a row, cut by gaps, in grey: the marks carry the colour.
    figure.add_scatter(
        x=[x for low, high in zip(lows, highs, strict=True) for x in (low, high, None)],
        y=[y for label in labels for y in (label, label, None)],
        mode="lines",
        line={"color": theme.GRID, "width": 5},
        hoverinfo="skip",
        row=1,
        col=column,
    )
    for label, symbol in MARKS.items():
        line = {"width": 2, "color": colours} if symbol.startswith("line") else {"width": 0}
        figure.add_scatter(
            x=spans[label].clip(lower=LEAST),
            y=labels,
            mode="markers",
            marker={"symbol": symbol, "size": 10, "color": colours, "line": line},
            text=[duration(value) for value in spans[label]],
            hovertemplate=f"%{{y}}<br>{MEASURES[measure].lower()} {label}: %{{text}}<extra></extra>",
            row=1,
            col=column,
        )


def _finding(timed: pd.DataFrame, by: str) -> str:
    often = timed[timed["count"] >= OFTEN]  # a quantile of two runs is no finding
    timed = timed if often.empty else often
    worst = timed.iloc[int(timed["queue_wait_p95"].fillna(0).argmax())]
    slowest = timed.iloc[int(timed["run_time_p95"].argmax())]
    wait = worst["queue_wait_p95"]
    runs = f"{_last_name(slowest[by])} ran longest, {duration(slowest['run_time_p95'])} at p95"
    if not wait > 1:
        return f"No task waited over 1 s at p95; {runs}"
    if worst[by] == slowest[by]:
        ran = duration(slowest["run_time_p95"])
        return f"{_last_name(worst[by])} waited longest, {duration(wait)} at p95, and ran longest, {ran}"
    return f"{_last_name(worst[by])} waited {duration(wait)} at p95; {runs}"


def states(frame: pd.DataFrame, *, note: str = "") -> go.Figure:
    """Tasks by state as one bar, labelled directly.

    Parameters
    ----------
    frame
        ``state``, ``count`` and ``share``, as :func:`zumolib.frames.tasks.summary` gives it.
    """
    if frame.empty:
        return theme.empty(
            "No task was recorded in this window",
            remedy="Start the stack with `zumo up`, or choose a window that the history covers.",
            note=note,
        )
    figure = go.Figure()
    for state, count, part in zip(frame["state"], frame["count"], frame["share"], strict=True):
        figure.add_bar(
            x=[count],
            y=[""],
            orientation="h",
            marker={"color": theme.state_colour(state)},
            text=f"{state.lower()} {number(count)}" if part > 0.06 else "",
            textposition="inside",
            insidetextanchor="middle",
            hovertemplate=f"{state}: {number(count)}<extra></extra>",
        )
    figure.update_layout(barmode="stack", bargap=0, margin={"b": 12})
    total = int(frame["count"].sum())
    figure.update_xaxes(visible=False, range=[0, total]).update_yaxes(visible=False)
    return theme.titled(figure, _outcome(frame.set_index("state")["count"], total), note=note, height=134)


def _outcome(counts: pd.Series, total: int) -> str:
    succeeded = f"{share(counts.get('SUCCESS', 0) / total)} of {counted(total, 'task')} succeeded"
    others = [
        f"{number(count)} {OUTCOMES.get(str(s), str(s).lower())}"
        for s, count in counts.drop("SUCCESS", errors="ignore").items()
    ]
    return f"{succeeded}; {listed(others)}" if others else succeeded


def _last_name(name: object) -> str:
    return literal(named(str(name).rsplit(".", 1)[-1] if isinstance(name, str) else name))
