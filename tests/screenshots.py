"""Pictures of the running product for the README: ``python -m tests.screenshots``.

Opens each notebook in the JupyterLab of the running embedded stack, runs it, and photographs it with
Debian's Chromium.
"""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote

import requests
from playwright.sync_api import Browser, Page

from tests.services.chromium import chromium
from tests.waiting import wait_until
from zumolib.conf import PROJECT, conf
from zumolib.errors import StackError
from zumolib.stack.plan import Plan

PICTURES = {"21-task-latency": "task-latency", "10-queue-depth": "queue-depth"}


def open_notebook(
    browser: Browser, plan: Plan, notebook: str, *, width: int = 1280, height: int = 1000
) -> Page:
    """A page with the notebook in JupyterLab's single-document mode, its kernel started."""
    page = browser.new_page(viewport={"width": width, "height": height})
    base = f"http://127.0.0.1:{plan.ports['jupyter']}"
    page.goto(f"{base}/doc/tree/{quote(notebook)}?token={plan.jupyter_token}&reset")
    wait_until(lambda: kernel_states(plan) == ["idle"], 60, "a kernel")
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=60_000)
    return page


def run_all(page: Page, plan: Plan) -> None:
    """Run every cell, wait until the kernel is idle again, and bring the first chart into view."""
    page.click('.lm-MenuBar-itemLabel:text-is("Run")')
    page.click('.lm-Menu-item[data-command="runmenu:run-all"]')
    wait_until(lambda: kernel_states(plan) == ["busy"], 60, "the kernel to work")
    wait_until(lambda: kernel_states(plan) == ["idle"], 120, "the kernel to be done")
    page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0")
    chart = page.locator(".js-plotly-plot .main-svg").first
    chart.wait_for(timeout=30_000)
    chart.scroll_into_view_if_needed()


def kernel_states(plan: Plan) -> list[str]:
    """What JupyterLab says of each running kernel."""
    sessions = requests.get(_sessions(plan), headers=_login(plan), timeout=10).json()
    return [session["kernel"]["execution_state"] for session in sessions]


def _sessions(plan: Plan) -> str:
    return f"http://127.0.0.1:{plan.ports['jupyter']}/api/sessions"


def _login(plan: Plan) -> dict[str, str]:
    return {"Authorization": f"token {plan.jupyter_token}"}


def end_sessions(plan: Plan) -> None:
    """End every kernel, so that each picture starts from a fresh one."""
    for session in requests.get(_sessions(plan), headers=_login(plan), timeout=10).json():
        ended = requests.delete(f"{_sessions(plan)}/{session['id']}", headers=_login(plan), timeout=10)
        ended.raise_for_status()


def main(folder: Path) -> None:
    """Photograph every notebook of :data:`PICTURES` into `folder`."""
    plan = Plan.load(conf().ZUMO_HOME)
    if plan is None:
        raise StackError("the embedded stack has not been started here; run `make run` first")
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        end_sessions(plan)
        for notebook, picture in PICTURES.items():
            page = open_notebook(browser, plan, f"notebooks/{notebook}.ipynb")
            run_all(page, plan)
            page.screenshot(path=folder / f"{picture}.png")
            page.close()
            end_sessions(plan)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "docs")
