"""JupyterLab of an embedded stack, used as a person uses it: by a browser's clicks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import requests
from playwright.sync_api import BrowserContext, Page

from tests.waiting import wait_until
from zumolib.conf import PROJECT
from zumolib.stack.plan import Plan

Theme = Literal["light", "dark"]
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

IDLE = '.jp-Notebook-ExecutionIndicator[data-status="idle"]'
ERROR = '[data-mime-type="application/vnd.jupyter.error"], [data-mime-type="application/vnd.jupyter.stderr"]'
SAVE = '.jp-Toolbar-item[data-jp-item-name="save"]'
RUN_ALL = '.jp-Toolbar-item[data-jp-item-name="run-all"]'


@dataclass(frozen=True)
class Lab:
    """A JupyterLab and the browser before it."""

    browser: BrowserContext
    plan: Plan

    @property
    def base(self) -> str:
        """Address without the token."""
        return f"http://127.0.0.1:{self.plan.ports['jupyter']}"

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """Ask the server's API."""
        login = {"Authorization": f"token {self.plan.jupyter_token}"}
        answer = requests.request(method, f"{self.base}{path}", headers=login, timeout=20, **options)
        answer.raise_for_status()
        return answer

    def theme(self, theme: Theme) -> None:
        """Choose the theme of pages that are opened from now on."""
        settings = {"raw": f'{{"theme": "{THEMES[theme]}"}}'}
        self.ask("PUT", "/lab/api/settings/@jupyterlab/apputils-extension:themes", json=settings)

    def open(
        self, notebook: str, *, mode: Literal["lab", "doc"] = "doc", width: int = 1280, height: int = 1000
    ) -> Page:
        """A page with a notebook, below the project, whose kernel is there.

        `doc` shows the notebook alone, `lab` JupyterLab with tabs, in which links open notebooks.
        """
        page = self.browser.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{self.base}/{mode}/tree/{quote(notebook)}?token={self.plan.jupyter_token}&reset")
        self.ready(page, notebook)
        return page

    def ready(self, page: Page, notebook: str) -> None:
        """Wait until a notebook has an idle kernel and is shown."""
        wait_until(lambda: self.kernels().get(notebook) == "idle", 60, f"a kernel for {notebook}")
        shown(page).locator(IDLE).wait_for(timeout=60_000)

    def run_all(self, page: Page, notebook: str, *, seconds: float = 120) -> None:
        """Run every cell by the toolbar's button, and wait until each has been run."""
        shown(page).locator(RUN_ALL).click()
        self.ran(page, notebook, seconds=seconds)

    def ran(self, page: Page, notebook: str, *, seconds: float = 120) -> None:
        """Wait until every code cell of the notebook that is shown has a number, and the kernel is idle."""
        prompts = ".jp-CodeCell .jp-InputPrompt"
        page.wait_for_function(
            """prompts => {
                const shown = [...document.querySelectorAll('.jp-NotebookPanel')].find(p => p.offsetParent);
                const texts = [...shown.querySelectorAll(prompts)].map(p => p.textContent.trim());
                return texts.length > 0 && texts.every(text => /^\\[\\d+\\]:$/.test(text));
            }""",
            arg=prompts,
            timeout=seconds * 1000,
        )
        wait_until(lambda: self.kernels().get(notebook) == "idle", seconds, "the kernel to be done")

    def save(self, page: Page, notebook: str) -> None:
        """Save the notebook that is shown, and wait until its file has the widgets."""
        shown(page).locator(SAVE).click()
        path = PROJECT / notebook
        wait_until(lambda: "widget-view+json" in path.read_text(), 60, f"{notebook} to be saved")

    def kernels(self) -> dict[str, str]:
        """State of the kernel of each open notebook, by its path."""
        return {s["path"]: s["kernel"]["execution_state"] for s in self.ask("GET", "/api/sessions").json()}

    def close_pages(self) -> None:
        """Close every page but one, with which the browser would end."""
        for page in self.browser.pages[1:]:
            page.close()

    def end_sessions(self) -> None:
        """End every kernel, so that each page starts from a fresh one."""
        for session in self.ask("GET", "/api/sessions").json():
            self.ask("DELETE", f"/api/sessions/{session['id']}")


def shown(page: Page) -> Any:
    """The notebook panel in front."""
    return page.locator(".jp-NotebookPanel:visible").last


def errors(page: Page) -> list[str]:
    """Texts of error outputs and of standard error in the notebook that is shown."""
    return shown(page).locator(ERROR).all_text_contents()
