"""Pictures of every notebook, in both themes: ``python -m tests.screenshots [FOLDER] [NAME …]``.

Opens each notebook in the JupyterLab of the running embedded stack, runs it, and photographs all of it
with Debian's Chromium. ``--width 1920`` photographs as on a wider screen, ``--readme`` the two pictures of the
README.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.lab import THEMES, Lab, errors
from tests.notebooks import NOTEBOOKS, paths
from tests.services.chromium import chromium
from zumolib.conf import PROJECT, conf
from zumolib.errors import StackError
from zumolib.stack.plan import Plan

README = {
    "00-control-room": "control-room",
    "10-queue-depth": "queue-depth",
    "21-task-latency": "task-latency",
}
FRAME = 40  # pixels between the notebook and the window's edge
UNFOCUSED = """
.jp-cell-toolbar { display: none !important; }
.jp-Notebook .jp-Cell .jp-Collapser { visibility: hidden; }
.jp-Notebook .jp-Cell, .jp-Notebook .jp-MarkdownCell .jp-InputArea > * {
  border-color: transparent !important; box-shadow: none !important; outline: none !important;
}
"""  # as a notebook looks that nobody is typing into
HEIGHT = "document.querySelector('.jp-WindowedPanel-outer').scrollHeight"
LOOKS = 5  # at the height: a panel grows when its preview arrives
TALLEST = 9_000  # pixels; Chromium draws no larger picture


def photograph(lab: Lab, notebook: str, picture: Path, *, width: int, whole: bool = True) -> list[str]:
    """Run a notebook and photograph it; returns its errors."""
    path = f"{NOTEBOOKS.name}/{notebook}.ipynb"
    page = lab.open(path, width=width)
    lab.run_all(page, path)
    settle(page)
    if whole:
        before = 0
        for _ in range(LOOKS):
            tall = height(page)
            if tall == before:
                break
            page.set_viewport_size({"width": width, "height": min(tall + 90, TALLEST)})
            settle(page)
            before = tall
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=picture)
    found = errors(page)
    page.close()
    lab.end_sessions()
    return found


def height(page: Page) -> int:
    """Pixels that all of the notebook takes, at least."""
    return int(page.evaluate(HEIGHT))


def settle(page: Page) -> None:
    """Wait until every figure of the notebook is drawn, and its head is in view, without a cell in focus."""
    page.add_style_tag(content=UNFOCUSED)
    page.evaluate("document.activeElement.blur()")
    page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0")
    page.wait_for_function(
        """() => [...document.querySelectorAll('.jp-RenderedPlotly')].every(p => p.querySelector('.main-svg'))""",
        timeout=30_000,
    )
    page.wait_for_timeout(1_500)  # figures fit themselves to a new width after a pause of their own


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=PROJECT / "docs" / "notebooks")
    parser.add_argument("names", nargs="*", help="these notebooks only, without .ipynb")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--theme", choices=sorted(THEMES), help="one theme instead of both")
    parser.add_argument("--readme", action="store_true")
    asked = parser.parse_args()
    plan = Plan.load(conf().ZUMO_HOME)
    if plan is None:
        raise StackError("the embedded stack has not been started here; run `make run` first")
    names = asked.names or [str(path.relative_to(NOTEBOOKS).with_suffix("")) for path in paths()]
    bad = 0
    with chromium() as browser:
        lab = Lab(browser, plan)
        lab.end_sessions()
        for theme in [asked.theme] if asked.theme else [] if asked.readme else list(THEMES):
            lab.theme(theme)
            for name in names:
                found = photograph(lab, name, asked.folder / f"{name}-{theme}.png", width=asked.width)
                bad += bool(found)
                print(f"{name} {theme}: {found or 'well'}", flush=True)
        lab.theme("light")
        for name, picture in README.items() if asked.readme else ():
            photograph(lab, name, PROJECT / "docs" / f"{picture}.png", width=1280, whole=False)
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
