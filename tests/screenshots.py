"""Pictures of every notebook, in both themes: ``python -m tests.screenshots [FOLDER] [NAME …]``.

Opens each notebook in the JupyterLab of the running embedded stack, runs it, and photographs all of it
with Debian's Chromium. ``--width 1920`` photographs as on a wider screen, ``--readme`` the pictures of the
README, for one of which the queue hr is paused for some seconds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.acting import Desk
from tests.browser.lab import THEMES, Lab, errors, shown
from tests.notebooks import NOTEBOOKS, paths
from tests.services.chromium import chromium_of_a_person
from zumolib.conf import PROJECT, conf
from zumolib.errors import StackError
from zumolib.stack.plan import Plan

WIDTH = 1060  # pixels of a picture in the README, which shows it at nearly that size
UNFOCUSED = """
.jp-cell-toolbar { display: none !important; }
.jp-Notebook .jp-Cell .jp-Collapser { visibility: hidden; }
.jp-Notebook .jp-Cell, .jp-Notebook .jp-MarkdownCell .jp-InputArea > * {
  border-color: transparent !important; box-shadow: none !important; outline: none !important;
}
"""  # as a notebook looks that nobody is typing into
HEIGHT = "panel => panel.querySelector('.jp-WindowedPanel-outer').scrollHeight"
LOOKS = 5  # at the height: a panel grows when its preview arrives
TALLEST = 9_000  # pixels; Chromium draws no larger picture


def photograph(lab: Lab, notebook: str, picture: Path, *, width: int) -> list[str]:
    """Run a notebook and photograph it; returns its errors."""
    path = f"{NOTEBOOKS.name}/{notebook}.ipynb"
    page = lab.open(path, width=width)
    lab.run_all(page, path)
    settle(page)
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
    return int(shown(page).evaluate(HEIGHT))


def settle(page: Page) -> None:
    """Wait until every figure of the notebook is drawn, and its head is in view, without a cell in focus."""
    page.add_style_tag(content=UNFOCUSED)
    page.evaluate("document.activeElement.blur()")
    shown(page).evaluate("panel => panel.querySelector('.jp-WindowedPanel-outer').scrollTop = 0")
    page.wait_for_function(
        """() => [...document.querySelectorAll('.jp-RenderedPlotly')].every(p => p.querySelector('.main-svg'))""",
        timeout=30_000,
    )
    page.wait_for_timeout(1_500)  # figures fit themselves to a new width after a pause of their own


@contextmanager
def paused(queue: str) -> Iterator[None]:
    """A queue paused, so that a runbook has something to find; resumed afterwards."""
    zumo("pause", queue)
    try:
        yield
    finally:
        zumo("resume", queue)


def zumo(*words: str) -> None:
    """Act on the running stack as a person does."""
    command = [sys.executable, "-m", "zumolib", *words, "--yes", "--reason", "the data import is repeated"]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)


def about_to_pause(lab: Lab, page: Page, path: str) -> None:
    """Choose a queue, and wait until the preview shows what a pause of it would do."""
    panel = Desk(lab, page, path).panel("Pause, resume or purge a queue")
    panel.field("queue").locator("select").select_option("emails")
    panel.box.locator(".zumo-reason input").fill("the mail provider is down")
    expect(panel.confirm).to_be_enabled()


@dataclass(frozen=True)
class Shot:
    """One picture of the README: what stands below a heading of a notebook."""

    name: str
    notebook: str
    heading: str
    height: int  # pixels
    during: Callable[[], AbstractContextManager[None]] = nullcontext
    act: Callable[[Lab, Page, str], None] | None = None


README = (
    Shot("queue-depth", "10-queue-depth", "When did messages wait?", 790),
    Shot("schedule-density", "20-schedule-density", "Which hours are crowded?", 640),
    Shot("task-latency", "21-task-latency", "Which queue makes tasks wait?", 700),
    Shot("control", "54-queues-and-workers", "Shall a queue flow?", 640, act=about_to_pause),
    Shot(
        "runbook",
        "runbooks/02-tasks-not-executed",
        "How to be sure",
        980,
        during=partial(paused, "hr"),
    ),
)


def show(lab: Lab, shot: Shot, picture: Path) -> None:
    """Run a notebook and photograph one of its sections, in the window that a person would see."""
    path = f"{NOTEBOOKS.name}/{shot.notebook}.ipynb"
    with shot.during():
        page = lab.open(path, width=WIDTH, height=TALLEST // 2)  # all of it is drawn
        lab.run_all(page, path)
    if shot.act is not None:
        shot.act(lab, page, path)
    settle(page)
    page.set_viewport_size({"width": WIDTH, "height": shot.height})
    settle(page)
    heading = shown(page).locator(f'.jp-RenderedMarkdown h2:has-text("{shot.heading}")')
    heading.evaluate("heading => heading.scrollIntoView({block: 'start'})")
    page.mouse.move(1, 1)
    page.wait_for_timeout(500)
    page.screenshot(path=picture)
    page.close()
    lab.end_sessions()


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
    with chromium_of_a_person() as browser:
        lab = Lab(browser, plan)
        lab.end_sessions()
        for theme in [asked.theme] if asked.theme else [] if asked.readme else list(THEMES):
            lab.theme(theme)
            for name in names:
                found = photograph(lab, name, asked.folder / f"{name}-{theme}.png", width=asked.width)
                bad += bool(found)
                print(f"{name} {theme}: {found or 'well'}", flush=True)
        lab.theme("light")
        for shot in README if asked.readme else ():
            show(lab, shot, PROJECT / "docs" / f"{shot.name}.png")
            print(shot.name, flush=True)
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
