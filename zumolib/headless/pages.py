"""Executed notebooks as HTML pages that work offline, and the page that lists them.

nbconvert's own templates ask the internet for scripts and show no plotly figure that JupyterLab drew;
this page brings plotly.js along, once, and draws the figures from what the notebook stored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zumolib import light

if TYPE_CHECKING:
    from nbformat import NotebookNode

TEMPLATES = Path(__file__).parent / "templates"
PLOT = "application/vnd.plotly.v1+json"
ORDER = (PLOT, "text/html", "text/markdown", "image/svg+xml", "image/png", "text/plain")


@dataclass(frozen=True)
class Page:
    """What stands around the notebook's cells."""

    title: str  # of the browser's tab
    line: str  # above everything
    made: str  # below everything
    failure: str = ""  # why the notebook is incomplete


@dataclass(frozen=True)
class Day:
    """One row of the list of reports."""

    title: str
    notebook: str  # relative address
    page: str  # relative address; empty where there is none
    failed: bool
    made: str
    took: str


def render(notebook: NotebookNode, page: Page) -> str:
    """The page of an executed notebook, its code folded away."""
    with light.imports():
        from nbconvert.exporters.html import HTMLExporter
    from traitlets.config import Config

    config = Config()
    config.NbConvertBase.display_data_priority = list(ORDER)
    exporter = HTMLExporter(
        config=config,
        extra_template_basedirs=[str(TEMPLATES)],
        template_name="report",
        filters={"plot_json": _script_json},
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    body, _ = exporter.from_notebook_node(notebook, resources={"page": {**vars(page), **_style(notebook)}})
    return str(body)


def index(days: Sequence[Day]) -> str:
    """The page that lists the reports, in the order given."""
    from jinja2 import Environment, FileSystemLoader

    loader = FileSystemLoader(TEMPLATES / "report")
    template = Environment(loader=loader, autoescape=True).get_template("days.html.j2")
    from markupsafe import Markup

    return template.render(days=days, css=Markup((TEMPLATES / "report" / "page.css").read_text()))


def _style(notebook: NotebookNode) -> dict[str, str]:
    from plotly.offline import get_plotlyjs

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    has_plots = any(PLOT in output.get("data", {}) for output in outputs)
    return {
        "css": (TEMPLATES / "report" / "page.css").read_text(),
        "plotly": get_plotlyjs() if has_plots else "",
    }


def _script_json(data: Any) -> str:
    """JSON that cannot end the script element that holds it."""
    return (
        json.dumps({"data": data["data"], "layout": data["layout"]})
        .replace("</", "<\\/")
        .replace("<!--", "<\\!--")
    )
