"""The one plot theme: template, colours and layout that all figures share.

The template is lean on purpose: plotly's default one makes each figure in a notebook twelve kilobytes
larger. Backgrounds are transparent and the ink is a grey that reads on white and on JupyterLab's dark
theme.
"""

from __future__ import annotations

import re

import plotly.graph_objects as go
import plotly.io as pio

from zumolib import light
from zumolib.figures import rounding
from zumolib.figures.words import literal

NAME = "zumo"
INK = "#737B87"  # contrast of 4.3 to 1 on white and on #111111
GRID = "rgba(128,136,148,0.22)"
ACCENT = "#0072B2"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"

# Okabe and Ito's palette: told apart by colour-blind people and on paper.
QUEUES = {
    "payments": "#D55E00",
    "emails": "#E69F00",
    "notifications": "#CC79A7",
    "hr": "#009E73",
    "ats": "#0072B2",
    "analytics": "#56B4E9",
    "default": "#7F7F7F",
    "celery": "#8C6D31",
}
STATES = {
    "SUCCESS": "#2E9E6B",
    "FAILURE": "#C8373A",
    "RETRY": "#E0A100",
    "STARTED": "#3A7CC2",
    "RECEIVED": "#8FB3D9",
    "REVOKED": "#8A8A8A",
    "REJECTED": "#6B5B73",
    "PENDING": "#C9CED6",
}
HEALTH = {
    "ok": STATES["SUCCESS"],
    "warning": STATES["RETRY"],
    "down": STATES["FAILURE"],
    "unknown": STATES["REVOKED"],
}
# Tol's muted palette, its three darkest lighter: a line must be seen on #111111 too.
OTHERS = ("#6A5ACD", "#117733", "#B0406F", "#44AA99", "#AA4499", "#999933", "#A8502A", "#6699CC")

# Plotly's cloud and the tools that make no sense in these figures.
REMOVED_BUTTONS = ("sendChartToCloud", "sendDataToCloud", "select2d", "lasso2d", "autoScale2d")


def queue_colour(queue: object) -> str:
    """A queue's colour; a queue of another deployment gets one that depends on its name only."""
    name = str(queue)
    return QUEUES.get(name) or OTHERS[sum(name.encode()) % len(OTHERS)]


def state_colour(state: object) -> str:
    """A state's colour."""
    return STATES.get(str(state), INK)


def faded(colour: str, opacity: float) -> str:
    """A #RRGGBB colour with an opacity."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def register() -> None:
    """Make the template, and JupyterLab's own way to draw, plotly's defaults."""
    axis = {
        "gridcolor": GRID,
        "linecolor": GRID,
        "zerolinecolor": GRID,
        "ticks": "",
        "automargin": True,
        "title": {"font": {"size": 12}, "standoff": 8},
        "tickfont": {"size": 12},
    }
    pio.templates[NAME] = go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 13, "color": INK},
            "colorway": list(QUEUES.values()),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 0, "r": 0, "t": 84, "b": 40},
            "title": {"x": 0, "xref": "container", "xanchor": "left", "y": 1, "yanchor": "top",
                      "pad": {"l": 0, "t": 14}, "font": {"size": 17}},
            "hoverlabel": {"bgcolor": "#2B3038", "font": {"color": "#FFFFFF", "family": FONT, "size": 12}},
            "modebar": {"remove": list(REMOVED_BUTTONS), "bgcolor": "rgba(0,0,0,0)", "color": GRID,
                        "activecolor": INK, "orientation": "h"},
            "showlegend": False,
            "separators": ".,",
        }
    )  # fmt: skip
    pio.templates.default = NAME
    # JupyterLab draws this; unlike an HTML renderer's output it stays small and the same at every run.
    with light.imports():  # its renderers ask nbformat for its version
        pio.renderers.default = "plotly_mimetype"


def titled(figure: go.Figure, title: str, *, note: str, height: int) -> go.Figure:
    """The figure with its finding as title, source and age as subtitle, and no more digits than can be seen."""
    figure.update_layout(
        title={"text": f"<b>{title}</b>", "subtitle": {"text": literal(note), "font": {"size": 12}}},
        height=height,
    )
    return rounding.figure(figure)


def empty(title: str, *, remedy: str, note: str = "", height: int = 220) -> go.Figure:
    """A figure in place of one that has nothing to show; it says what to do next, `commands` in bold."""
    figure = go.Figure()
    figure.add_annotation(
        text=re.sub(r"`(.+?)`", r"<b>\1</b>", remedy),
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        showarrow=False,
        font={"size": 14},
    )
    figure.update_xaxes(visible=False).update_yaxes(visible=False)
    return titled(figure, title, note=note, height=height)
