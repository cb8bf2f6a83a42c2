"""What a runbook shows: the verdict first, then every cause with what was seen; and what was done.

Read by somebody who was woken: one colour for trouble, one for none, and the remedy beside the finding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

import pandas as pd
import plotly.graph_objects as go

from zumolib.figures import theme
from zumolib.figures.words import counted, decimal, duration, listed, number, share

MARKS = {"yes": "YES", "no": "no", "on purpose": "on purpose", "inconclusive": "?"}
COLOURS = {
    "yes": theme.STATES["FAILURE"],
    "no": theme.STATES["SUCCESS"],
    "on purpose": theme.STATES["STARTED"],
    "inconclusive": theme.INK,
}
MOST_ENTRIES = 20
GREW_MB = 10  # less is an allocator's noise


@dataclass(frozen=True)
class Findings:
    """A diagnosis: a headline, then one line a cause."""

    headline: str
    colour: str
    rows: tuple[tuple[str, str, str, str], ...]  # found, cause, saw, hint

    def __repr__(self) -> str:
        lines = [
            f"{cause}: {MARKS[found]}" + (f", {saw}" if saw else "") for found, cause, saw, _ in self.rows
        ]
        return "\n".join((self.headline, *lines))

    def _repr_html_(self) -> str:
        body = "".join(
            f'<tr><td style="color:{COLOURS[found]};text-align:center;font-weight:700;white-space:nowrap">'
            f'{MARKS[found]}</td><td style="text-align:left;white-space:nowrap">{escape(cause)}</td>'
            f'<td style="text-align:left">{_code(saw)}'
            + (f"<div><b>→</b> {_code(hint)}</div>" if hint else "")
            + "</td></tr>"
            for found, cause, saw, hint in self.rows
            if found != "no"
        )
        ruled_out = [escape(cause) for found, cause, _, _ in self.rows if found == "no"]
        return (
            f'<div class="zumo-findings" style="font-family:{theme.FONT}">'
            f'<div style="border-left:6px solid {self.colour};padding:8px 14px;font-size:18px;font-weight:600;'
            f'background:rgba(128,136,148,.08);margin-bottom:6px">{escape(self.headline)}</div>'
            + (f'<table style="border-collapse:collapse"><tbody>{body}</tbody></table>' if body else "")
            + (
                f'<div style="opacity:.75;font-size:12px">Ruled out: {" · ".join(ruled_out)}</div>'
                if ruled_out
                else ""
            )
            + "</div>"
        )


def _code(text: str) -> str:
    """Text as HTML, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def diagnosis(frame: pd.DataFrame) -> Findings:
    """A frame of :attr:`zumolib.checks.Diagnosis.frame`: ``cause``, ``found``, ``saw``, ``hint``."""
    causes = list(dict.fromkeys(frame.loc[frame["found"] == "yes", "cause"]))
    rows = tuple(frame[["found", "cause", "saw", "hint"]].itertuples(index=False, name=None))
    if causes:
        return Findings(f"Found: {'; '.join(causes)}", COLOURS["yes"], rows)
    untold = int((frame["found"] == "inconclusive").sum())
    if untold:
        some = counted(untold, "cause")
        return Findings(f"Nothing found, but {some} could not be judged", COLOURS["inconclusive"], rows)
    return Findings("Nothing to do: none of these causes was found", COLOURS["no"], rows)


@dataclass(frozen=True)
class Actions:
    """A frame of actions as a table, without columns that hold nothing; with no row, one sentence."""

    frame: pd.DataFrame
    empty: str

    def __repr__(self) -> str:
        return self.empty if self.frame.empty else self.frame.to_string(index=False)

    def _repr_html_(self) -> str:
        if self.frame.empty:
            return f'<p style="font-family:{theme.FONT}"><em>{escape(self.empty)}</em></p>'
        told = self.frame[[column for column in self.frame if (self.frame[column] != "").any()]]
        head = "".join(f'<th style="text-align:left">{escape(str(c))}</th>' for c in told.columns)
        rows = "".join(
            "<tr>" + "".join(f'<td style="text-align:left">{escape(str(v))}</td>' for v in row) + "</tr>"
            for row in told.itertuples(index=False, name=None)
        )
        return (
            f'<table style="font-family:{theme.FONT};border-collapse:collapse">'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )


def preview(frame: pd.DataFrame) -> Actions:
    """What would be done."""
    return Actions(frame, "No action is known against this, or nothing is wrong: nothing will be done.")


def outcome(frame: pd.DataFrame) -> Actions:
    """What was done."""
    return Actions(frame, "Nothing was changed.")


def consumers(frame: pd.DataFrame) -> go.Figure:
    """Messages that wait, and how many workers take them, by queue.

    Parameters
    ----------
    frame
        ``queue``, ``ready`` (messages, missing where it is not told), ``workers`` (that consume from it).
    """
    if frame.empty:
        return theme.empty("Nobody tells what waits", remedy="See the causes above.")
    ready = frame["ready"].fillna(0).astype("float64")
    labels = ["<b>no worker</b>" if not n else counted(n, "worker") for n in frame["workers"]]
    figure = go.Figure(
        go.Bar(
            x=ready,
            y=frame["queue"],
            orientation="h",
            text=[f"{number(w)} waiting, {label}" for w, label in zip(ready, labels, strict=True)],
            textposition="outside",
            cliponaxis=False,
            marker={"color": [theme.queue_colour(queue) for queue in frame["queue"]]},
            hoverinfo="skip",
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(visible=False, range=[0, max(float(ready.max()), 1) * 1.6])
    alone = list(frame.loc[frame["workers"] == 0, "queue"])
    waits = f"{counted(float(ready.sum()), 'message')} waiting"
    if alone:
        title = f"Nobody takes from {listed([str(queue) for queue in alone])}"
    else:
        title = f"{'The queue has' if len(frame) == 1 else f'All {len(frame)} queues have'} a worker; {waits}"
    return theme.titled(
        figure, title, note="asked of the broker and of the workers just now", height=130 + 26 * len(frame)
    )


def lateness(frame: pd.DataFrame) -> go.Figure:
    """Entries that are overdue, by how much.

    Parameters
    ----------
    frame
        ``entry``, ``late`` (seconds since it was due); ``attrs["unknown"]`` where that could not be judged.
    """
    if frame.attrs.get("unknown"):
        return theme.empty(
            "Whether an entry is overdue is not known", remedy=f"{frame.attrs['unknown']}.", height=130
        )
    if frame.empty:
        return theme.empty(
            "No entry is overdue", remedy="None is later than beat's own rhythm explains.", height=130
        )
    top = frame.sort_values(["late", "entry"], ascending=[False, True]).head(MOST_ENTRIES)
    figure = go.Figure(
        go.Bar(
            x=top["late"],
            y=top["entry"],
            orientation="h",
            text=[duration(late) for late in top["late"]],
            textposition="outside",
            cliponaxis=False,
            marker={"color": COLOURS["yes"]},
            hoverinfo="skip",
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(visible=False, range=[0, float(top["late"].max()) * 1.2])
    one = "1 entry is" if len(frame) == 1 else f"{len(frame)} entries are"
    title = f"{one} overdue, {top['entry'].iloc[0]} by {duration(float(top['late'].iloc[0]))}"
    return theme.titled(figure, title, note="due by the schedule, not dispatched", height=130 + 26 * len(top))


def memory(frame: pd.DataFrame) -> go.Figure:
    """Size of each pool process over the watched time.

    Parameters
    ----------
    frame
        ``seconds``, ``worker``, ``pid``, ``mb`` (resident, MB).
    """
    if frame.empty:
        return theme.empty(
            "No process was seen",
            remedy="Run this notebook on the machine of the workers, with `watch` above 0.",
        )
    figure = go.Figure()
    for position, ((_, pid), its) in enumerate(frame.groupby(["worker", "pid"])):
        colour = theme.OTHERS[position % len(theme.OTHERS)]
        figure.add_scatter(
            x=its["seconds"], y=its["mb"], mode="lines", line={"color": colour, "width": 2},
            hovertemplate=f"process {pid}: %{{y:,.0f}} MB<extra></extra>",
        )  # fmt: skip
    its_sizes = frame.groupby(["worker", "pid"])["mb"]
    first, last = its_sizes.first().sum(), its_sizes.last().sum()
    if last - first > max(GREW_MB, 0.02 * first):
        finding = f"grew from {number(first)} to {number(last)} MB"
    else:
        finding = f"stayed at about {number(last)} MB in all"
    figure.update_xaxes(title_text="seconds")
    figure.update_yaxes(title_text="MB resident", rangemode="tozero")
    count = counted(its_sizes.ngroups, "process", "processes")
    return theme.titled(
        figure,
        f"{count} {finding}",
        note="one line a pool process",
        height=320,
    )


def stored(frame: pd.DataFrame, *, limit: float) -> go.Figure:
    """What fills the result backend's memory.

    Parameters
    ----------
    frame
        ``what``, ``mb``.
    limit
        Memory limit in MB; 0 for none.
    """
    colours = (COLOURS["yes"], theme.STATES["STARTED"], theme.STATES["PENDING"])
    figure = go.Figure()
    for (what, mb), colour in zip(
        frame[["what", "mb"]].itertuples(index=False, name=None), colours, strict=False
    ):
        figure.add_bar(
            x=[mb], y=["memory"], orientation="h", name=what, marker={"color": colour},
            text=f"{what}<br>{decimal(mb)} MB" if mb > 0.08 * max(limit, frame["mb"].sum()) else "", insidetextanchor="middle",
            hovertemplate=f"{what}: {decimal(mb)} MB<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack")
    if limit:
        figure.add_vline(x=limit, line={"color": COLOURS["yes"], "dash": "dash"}, annotation_text="limit")
    used = float(frame["mb"].sum())
    bound = f"{share(used / limit)} of {number(limit)} MB" if limit else "no limit is set"
    figure.update_yaxes(visible=False)
    figure.update_xaxes(title_text="MB", rangemode="tozero")
    return theme.titled(
        figure, f"{decimal(used)} MB in use: {bound}", note="asked of the result backend just now", height=200
    )
