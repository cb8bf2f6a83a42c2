"""The acting notebooks as a person uses them: clicks, which are counted, and keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import RUN_ALL, Lab, shown
from tests.waiting import wait_until

# Patience, in seconds: a machine that does much else at the same time is slow, not wrong.
OPENING, RUNNING, ACTING = 120, 180, 60

VERIFIED = re.compile(r"(?<!not )verified: ")  # in a receipt

expect.set_options(timeout=ACTING * 1_000)


@dataclass
class Desk:
    """A page of JupyterLab and how often was clicked on it."""

    lab: Lab
    page: Page
    notebook: str
    clicks: int = 0

    @classmethod
    def at(cls, lab: Lab, notebook: str) -> Desk:
        """A notebook of the project, opened by its address and not yet run."""
        path = f"notebooks/{notebook}.ipynb"
        page = lab.open(path, mode="lab")
        page.set_default_timeout(ACTING * 1_000)
        return cls(lab, page, path)

    def click(self, place: Locator) -> None:
        """Click on it, and count it."""
        place.click()
        self.clicks += 1

    def follow(self, notebook: str) -> None:
        """Follow a link of the notebook that is shown to another one."""
        self.notebook = f"notebooks/{notebook}.ipynb"
        self.click(self.shown.locator(f'.jp-RenderedMarkdown a[href*="{notebook}"]').first)
        self.lab.ready(self.page, self.notebook)

    def run_all(self) -> None:
        """Run every cell of the notebook that is shown, by the toolbar's button."""
        self.click(self.shown.locator(RUN_ALL))
        self.lab.ran(self.page, self.notebook, seconds=RUNNING)

    @property
    def shown(self) -> Any:
        """The notebook in front."""
        return shown(self.page)

    def panel(self, title: str) -> Panel:
        """The panel of this title in the notebook in front."""
        heading = self.page.locator(f'.zumo-title:text-is("{title}")')
        found = self.shown.locator(".zumo-panel").filter(has=heading)
        found.wait_for()
        return Panel(self, found)


@dataclass
class Panel:
    """One panel of a notebook."""

    desk: Desk
    box: Locator

    def fill(self, name: str, text: str) -> None:
        """Type into a field instead of what is in it."""
        self.field(name).locator("input[type=text], textarea").first.fill(text)

    def choose(self, name: str, label: str) -> None:
        """Press one of the buttons of a field."""
        self.desk.click(self.field(name).locator(f'button:text-is("{label}")'))

    def pick(self, name: str, label: str) -> None:
        """Pick from a field's list."""
        self.field(name).locator("select").select_option(label=label)

    def field(self, name: str) -> Locator:
        """The field of this name."""
        return self.box.locator(f".zumo-field-{name}")

    def row(self, text: str) -> Locator:
        """The first row with this text in the panel's table."""
        return self.rows.filter(has_text=text).first

    @property
    def rows(self) -> Locator:
        """The rows of the panel's table."""
        return self.box.locator(".zumo-grid").first.locator("tbody tr")

    def offered(self, name: str) -> list[str]:
        """What a field's list shows."""
        return self.field(name).locator("select option").all_inner_texts()

    def chosen(self, name: str) -> str:
        """The button of a field that is pressed in."""
        return self.field(name).locator("button.mod-active").inner_text()

    @property
    def confirm(self) -> Locator:
        """The button that acts."""
        return self.box.locator("button.zumo-confirm")

    def act(self, says: str) -> str:
        """Wait until the button says this and can be pressed, press it, and give the receipt's text."""
        expect(self.confirm).to_contain_text(says)
        expect(self.confirm).to_be_enabled()
        before = self._number()
        self.desk.click(self.confirm)
        wait_until(lambda: self._number() != before, ACTING, "the receipt")
        return self.receipt.inner_text()

    def is_asked_again(self, changes: str, *listed: str) -> None:
        """Press the button: nothing is sent, and what changed since the preview is said and listed."""
        before = self._number()
        expect(self.confirm).to_be_enabled()
        self.desk.click(self.confirm)
        expect(self.box.locator(".zumo-changed")).to_contain_text(
            f"Nothing was sent: since the preview {changes}."
        )
        for text in listed:
            expect(self.box.locator(".zumo-changes")).to_contain_text(text)
        assert self._number() == before

    def undo(self) -> None:
        """Take the last action back, and see the receipt of that."""
        number = self._number()
        self.desk.click(self.box.locator("button.zumo-undo"))
        expect(self.box.locator(f'.zumo-receipt:not([data-receipt="{number}"])')).to_contain_text(VERIFIED)

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
