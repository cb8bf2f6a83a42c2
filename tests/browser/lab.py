"""JupyterLab of a running stack, driven as a person drives it: by clicks and keys, which are counted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote

import requests
from playwright.sync_api import Browser, Locator, Page, expect

from tests.waiting import wait_until
from zumolib.stack.plan import Plan

INDEX = "notebooks/README.ipynb"
RUN_ALL = '.jp-Toolbar-item[data-jp-item-name="run-all"]'  # a button of the stack's own JupyterLab
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
# Patience, in seconds: a machine that does much else at the same time is slow, not wrong.
OPENING, RUNNING, ACTING = 120, 180, 60

expect.set_options(timeout=ACTING * 1_000)


@dataclass
class Lab:
    """One page of JupyterLab."""

    plan: Plan
    page: Page
    clicks: int = 0
    errors: list[str] = field(default_factory=list)  # of the browser's console

    @classmethod
    def open(cls, browser: Browser, plan: Plan, *, width: int = 1280, height: int = 1000) -> Lab:
        """A page that shows nothing yet."""
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(ACTING * 1_000)
        made = cls(plan, page)
        page.on("pageerror", lambda error: made.errors.append(str(error)))
        return made

    def theme(self, name: str) -> None:
        """Choose the theme, light or dark, of pages that are opened from now on."""
        place = f"{self._base}/lab/api/settings/@jupyterlab/apputils-extension:themes"
        settings = {"raw": f'{{"theme": "{THEMES[name]}"}}'}
        requests.put(place, headers=self._login, json=settings, timeout=10).raise_for_status()

    def visit(self, notebook: str = INDEX, *, mode: str = "lab") -> None:
        """Open a notebook by its address, with a kernel of its own, and count clicks from here.

        In the mode `lab` with tabs, in which links open notebooks; in the mode `doc` alone.
        """
        self.end_sessions()
        self.page.goto(f"{self._base}/{mode}/tree/{quote(notebook)}?token={self.plan.jupyter_token}&reset")
        self.ready()
        self.clicks = 0

    def ready(self) -> None:
        """Wait until the notebook that is shown has a kernel that does nothing."""
        wait_until(lambda: self.kernels() and set(self.kernels()) == {"idle"}, OPENING, "a kernel")
        self.shown.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()

    def click(self, what: str | Locator, **options: object) -> None:
        """Click on it, and count it."""
        place = self.page.locator(what) if isinstance(what, str) else what
        place.click(**options)  # type: ignore[arg-type]
        self.clicks += 1

    def follow(self, notebook: str) -> None:
        """Follow a link of the notebook that is shown to another one."""
        before = len(self.kernels())
        self.click(self.shown.locator(f'.jp-RenderedMarkdown a[href*="{notebook}"]').first)
        self.page.wait_for_selector(f'.lm-TabBar-tab.lm-mod-current[title*="{notebook}"]')
        wait_until(lambda: len(self.kernels()) > before, OPENING, f"a kernel for {notebook}")
        self.ready()

    def run_all(self) -> None:
        """Run every cell of the notebook that is shown: one click."""
        self.click(self.shown.locator(RUN_ALL))
        last = self.shown.locator(".jp-CodeCell .jp-InputPrompt").last
        expect(last).to_have_text(re.compile(r"\[\d+\]:"), timeout=RUNNING * 1_000)

    @property
    def shown(self) -> Locator:
        """The notebook in front."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def panel(self, title: str) -> Panel:
        """The panel of this title in the notebook in front."""
        found = self.shown.locator(".zumo-panel").filter(
            has=self.page.locator(f'.zumo-title:text-is("{title}")')
        )
        found.wait_for()
        return Panel(self, found)

    def kernels(self) -> list[str]:
        """What JupyterLab says of each running kernel."""
        found = requests.get(self._sessions, headers=self._login, timeout=10).json()
        return [session["kernel"]["execution_state"] for session in found]

    def end_sessions(self) -> None:
        """End every kernel."""
        for session in requests.get(self._sessions, headers=self._login, timeout=10).json():
            requests.delete(
                f"{self._sessions}/{session['id']}", headers=self._login, timeout=10
            ).raise_for_status()

    def problems(self) -> list[str]:
        """Error outputs in the notebook in front."""
        return self.shown.locator('.jp-RenderedText[data-mime-type*="error"]').all_inner_texts()

    @property
    def _base(self) -> str:
        return f"http://127.0.0.1:{self.plan.ports['jupyter']}"

    @property
    def _sessions(self) -> str:
        return f"{self._base}/api/sessions"

    @property
    def _login(self) -> dict[str, str]:
        return {"Authorization": f"token {self.plan.jupyter_token}"}


@dataclass
class Panel:
    """One panel of a notebook."""

    lab: Lab
    box: Locator

    def fill(self, name: str, text: str) -> None:
        """Type into a field instead of what is in it."""
        self.field(name).locator("input[type=text], textarea").first.fill(text)

    def choose(self, name: str, label: str) -> None:
        """Press one of the buttons of a field."""
        self.lab.click(self.field(name).locator(f'button:text-is("{label}")'))

    def field(self, name: str) -> Locator:
        """The field of this name."""
        return self.box.locator(f".zumo-field-{name}")

    def row(self, text: str) -> Locator:
        """The first row with this text in the panel's table."""
        return self.box.locator(".zumo-grid tbody tr").filter(has_text=text).first

    @property
    def confirm(self) -> Locator:
        """The button that acts."""
        return self.box.locator("button.zumo-confirm")

    def act(self, says: str) -> str:
        """Wait until the button says this and can be pressed, press it, and give the receipt's text."""
        expect(self.confirm).to_contain_text(says)
        expect(self.confirm).to_be_enabled()
        before = self._number()
        self.lab.click(self.confirm)
        wait_until(lambda: self._number() != before, ACTING, "the receipt")
        return self.receipt.inner_text()

    @property
    def receipt(self) -> Locator:
        """What came of the last action."""
        return self.box.locator(".zumo-outcome .zumo-receipt")

    def refuses(self, name: str, expected: str) -> None:
        """The field is marked with what is expected, and the button is off."""
        expect(self.field(name).locator(".zumo-problem")).to_contain_text(expected)
        expect(self.confirm).to_be_disabled()

    def _number(self) -> str | None:
        found = self.receipt
        return found.get_attribute("data-receipt") if found.count() else None
