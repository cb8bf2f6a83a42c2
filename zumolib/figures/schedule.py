"""Schedule density as pictures: when the firings crowd."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from zumolib.figures import theme
from zumolib.figures.words import counted, listed, literal, named, number

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOURS = [f"{hour:02d}" for hour in range(24)]
LIGHT, DARK = "#EEF4F9", "#5AA5D6"  # opaque and light enough for dark counts, on any theme
REMEDY = "Install the schedule with `zumo schedule install`, or enable entries in the admin pages."


def density(frame: pd.DataFrame, *, note: str = "", zone: str = "UTC") -> go.Figure:
    """Firings by hour and weekday, each count written in its cell.

    Parameters
    ----------
    frame
        ``weekday`` (0 is Monday), ``hour``, ``count``, as :func:`zumolib.frames.schedule.density` gives it.
    note
        Source and age, shown as subtitle.
    zone
        The zone that hours and weekdays are counted in.
    """
    if frame.empty or not frame["count"].sum():
        return theme.empty("Nothing is scheduled in this window", remedy=REMEDY, note=note)
    counts = frame.pivot(index="weekday", columns="hour", values="count").reindex(
        index=range(7), columns=range(24), fill_value=0
    )
    figure = go.Figure(
        go.Heatmap(
            x=HOURS,
            y=list(WEEKDAYS),
            z=counts.to_numpy().tolist(),
            text=[[number(value) if value else "" for value in row] for row in counts.to_numpy()],
            texttemplate="%{text}",
            textfont={"size": 12, "color": "#1D232B"},
            colorscale=[[0, LIGHT], [1, DARK]],
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate="%{y} %{x}:00–%{x}:59: %{z:,.0f} firings<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(showgrid=False, title_text=f"hour of the day ({zone})", type="category")
    most = frame[frame["count"].eq(frame["count"].max())]
    hours, days = sorted(set(most["hour"])), [WEEKDAYS[day] for day in sorted(set(most["weekday"]))]
    when = "every day" if len(days) == 7 else f"on {listed(days)}"
    title = (
        f"{listed([f'{hour:02d}:00' for hour in hours[:3]])} is most crowded, {when}, with "
        f"{counted(frame['count'].max(), 'firing')}; the quietest hour has {number(frame['count'].min())}"
    )
    return theme.titled(figure, title, note=note, height=420)


def day(frame: pd.DataFrame, *, note: str = "", zone: str = "UTC") -> go.Figure:
    """Firings of one day by hour, stacked by queue.

    Parameters
    ----------
    frame
        ``hour``, ``queue``, ``count``, as :func:`zumolib.frames.schedule.by_hour` gives it.
    """
    if frame.empty:
        return theme.empty("Nothing is scheduled on this day", remedy=REMEDY, note=note)
    figure = go.Figure()
    totals = frame.groupby("hour")["count"].sum().reindex(range(24), fill_value=0)
    order = frame.groupby("queue", observed=True)["count"].sum().sort_values(ascending=False, kind="stable")
    for queue in order.index:
        its = frame[frame["queue"].eq(queue)].set_index("hour")["count"].reindex(range(24), fill_value=0)
        figure.add_bar(
            x=HOURS,
            y=its,
            name=f"{literal(named(queue))} {number(order[queue])}",
            marker={"color": theme.queue_colour(queue)},
            hovertemplate=f"{literal(named(queue))}: %{{y:,.0f}}<extra></extra>",
        )
    figure.add_scatter(
        x=HOURS, y=totals, mode="text", text=[number(value) for value in totals], textposition="top center",
        textfont={"size": 12}, hoverinfo="skip", showlegend=False, cliponaxis=False,
    )  # fmt: skip
    figure.update_layout(
        barmode="stack",
        bargap=0.18,
        hovermode="x unified",
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": -0.22, "yanchor": "top", "traceorder": "normal"},
        margin={"t": 96, "b": 80},
    )
    figure.update_xaxes(title_text=f"hour of the day ({zone})", type="category", showgrid=False)
    figure.update_yaxes(title_text="firings", rangemode="tozero")
    top = int(totals.argmax())  # row n is hour n
    title = (
        f"{counted(totals.sum(), 'firing')} in the day; {top:02d}:00 is the most crowded hour "
        f"with {number(totals.iloc[top])}"
    )
    return theme.titled(figure, title, note=note, height=380)


def crowded(frame: pd.DataFrame, *, top: int = 10, note: str = "", zone: str = "UTC") -> go.Figure:
    """The minutes at which most entries are due at once.

    Parameters
    ----------
    frame
        ``at`` (UTC), ``count``, ``queue_counts`` (text), as :func:`zumolib.frames.schedule.crowded` gives it.
    top
        Show so many minutes.
    """
    if frame.empty:
        return theme.empty("Nothing is scheduled in this window", remedy=REMEDY, note=note)
    shown = frame.head(top).iloc[::-1]
    at = shown["at"].dt.tz_convert(zone)
    figure = go.Figure(
        go.Bar(
            x=shown["count"],
            y=[f"{moment:%a %d %b %H:%M}" for moment in at],
            orientation="h",
            marker={"color": theme.ACCENT},
            text=[
                f" <b>{number(count)}</b>  {literal(queues, 120)}"
                for count, queues in zip(shown["count"], shown["queue_counts"], strict=True)
            ],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:,.0f} entries due<extra></extra>",
        )
    )
    figure.update_xaxes(visible=False, range=[0, shown["count"].max() * 2.6])
    figure.update_yaxes(showgrid=False, ticklabelstandoff=6)
    most = frame["count"].max()
    times = [f"{moment:%a %H:%M}" for moment in frame.loc[frame["count"].eq(most), "at"].dt.tz_convert(zone)]
    when = listed(times[:3]) if len(times) <= 3 else f"{len(times)} moments, first on {times[0]}"
    title = f"At most {counted(most, 'entry', 'entries')} are due in one minute: {when}"
    return theme.titled(figure, title, note=note, height=110 + 26 * len(shown))
