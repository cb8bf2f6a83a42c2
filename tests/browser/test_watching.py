"""Watching, as a person does it: from the index, by clicks, in JupyterLab.

| question                              | clicks from the open index                       |
|---------------------------------------|--------------------------------------------------|
| which queue is backed up, and why     | 1: Run all                                       |
| the same with what is in the queue    | 2: the notebook, Run all                         |
| which task got slower                 | 2: the notebook, Run all                         |
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import nbformat
import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.stack import Stack
from tests.browser.lab import Lab, errors, shown
from tests.notebooks import NOTEBOOKS, stripped
from tests.waiting import wait_until
from zumolib.conf import PROJECT
from zumolib.inspection.queues import depths

pytestmark = pytest.mark.timeout(500)  # seconds; a quiet machine needs 15

INDEX = "notebooks/README.ipynb"
WATCHING = ("00-control-room", "10-queue-depth", "11-workers", "20-schedule-density", "21-task-latency")
TABLE = """
import pandas as pd
from zumolib import widgets
n = 100_000
names = [f"row {i:05}" for i in range(n)]
at = pd.date_range("2026-01-01", periods=n, freq="s", tz="UTC")
frame = pd.DataFrame({"name": names, "queue": "emails", "run_time": range(n, 0, -1), "started": at})
widgets.table(frame.astype({"run_time": float}))
"""
TASK = "zumodra.celery.debug_task"


@dataclass
class Clicks:
    """A page on which every click counts."""

    lab: Lab
    page: Page
    count: int = field(default=0)

    def follow(self, notebook: str) -> None:
        """Click on the index's link to a notebook, and wait until it is there."""
        self.count += 1
        shown(self.page).locator(f'a[href*="{notebook}"]').first.click()
        self.lab.ready(self.page, f"notebooks/{notebook}.ipynb")

    def run_all(self, notebook: str) -> None:
        """Click on the button that runs all, and wait until all has run."""
        self.count += 1
        self.lab.run_all(self.page, f"notebooks/{notebook}.ipynb", seconds=200)


@pytest.fixture
def index(lab: Lab) -> Clicks:
    """The index, open in JupyterLab, and no click yet."""
    return Clicks(lab, lab.open(INDEX, mode="lab"))


def waiting(stack: Stack) -> int:
    """Messages in the queue of the backlog."""
    return int(depths(stack.app).set_index("queue")["ready"]["emails"])


@pytest.fixture
def backlog(stack: Stack) -> Iterator[int]:
    """Messages in a queue whose worker does not take them any more."""
    stack.app.control.cancel_consumer("emails", reply=True, timeout=2)
    for _ in range(25):
        stack.app.send_task(TASK, queue="emails")
    yield 25
    stack.app.control.add_consumer("emails", reply=True, timeout=2)
    wait_until(lambda: waiting(stack) == 0, 60, "the backlog to drain")


@pytest.mark.parametrize("notebook", WATCHING)
def test_it_opens_from_the_index_and_runs_without_an_error(index: Clicks, notebook: str) -> None:
    index.follow(notebook)
    index.run_all(notebook)
    assert errors(index.page) == []
    assert index.count == 2


def test_which_queue_is_backed_up_and_why_takes_one_click(index: Clicks, backlog: int) -> None:
    index.run_all("README")
    finding = shown(index.page).locator(".zumo-finding").first.text_content()
    assert finding == f"emails is backed up: {backlog} messages wait, and no worker takes from it"
    assert index.count <= 2
    assert errors(index.page) == []


def test_what_is_in_a_queue_takes_two_clicks_and_takes_nothing_out(
    index: Clicks, backlog: int, stack: Stack
) -> None:
    index.follow("10-queue-depth")
    index.run_all("10-queue-depth")
    text = shown(index.page).locator("table.zumo-table").nth(1).text_content() or ""
    assert TASK in text.replace("\u200b", "")
    assert index.count <= 2
    assert waiting(stack) == backlog


def test_which_task_got_slower_takes_two_clicks(index: Clicks) -> None:
    index.follow("21-task-latency")
    index.run_all("21-task-latency")
    title = shown(index.page).locator(".js-plotly-plot .gtitle").first
    title.wait_for(timeout=60_000)
    # A stack of minutes has no week before, which is told as well.
    assert "7 days before" in (title.text_content() or "")
    assert index.count <= 2


def test_no_figure_offers_to_send_its_data_anywhere(index: Clicks) -> None:
    index.follow("20-schedule-density")
    index.run_all("20-schedule-density")
    buttons = shown(index.page).locator(".modebar-btn")
    buttons.first.wait_for(state="attached", timeout=60_000)
    titles = [button.get_attribute("data-title") or "" for button in buttons.all()]
    assert any("Download" in title for title in titles)
    assert [title for title in titles if "hare" in title or "Cloud" in title or "Studio" in title] == []


def test_the_control_room_renews_itself_pauses_and_ends_with_its_notebook(
    lab: Lab, stack: Stack, folder: str
) -> None:
    notebook = f"{folder}/00-control-room.ipynb"
    shutil.copy(NOTEBOOKS / "00-control-room.ipynb", PROJECT / notebook)
    page = lab.open(notebook, mode="lab")
    lab.run_all(page, notebook)
    clock = shown(page).locator(".zumo-control-room .soft", has_text="As of").first
    pause = shown(page).locator(".zumo-control-room button.zumo-pause")
    first = clock.text_content()
    wait_until(lambda: clock.text_content() != first, 30, "a refresh")

    lab.save(page, notebook)
    page.reload()  # the kernel lives on, and so do its widgets
    lab.ready(page, notebook)
    first = clock.text_content()
    wait_until(lambda: clock.text_content() != first, 30, "a refresh of the page that was loaded anew")

    pause.click()
    wait_until(lambda: "Go on" in (pause.text_content() or ""), 20, "the pause")
    page.wait_for_timeout(3_000)  # a refresh that was on its way
    stopped = clock.text_content()
    page.wait_for_timeout(6_000)
    assert clock.text_content() == stopped
    pause.click()
    wait_until(lambda: clock.text_content() != stopped, 30, "a refresh after the pause")

    # Kernels are their users': they carry no mark of the stack, and are found below its lab.
    lab_processes = psutil.Process(stack.service("jupyter").pid).children(recursive=True)
    process = next(
        p for p in lab_processes if "ipykernel_launcher" in " ".join(p.cmdline()) and p.is_running()
    )
    page.locator(".lm-TabBar-tab", has_text="00-control-room").locator(".lm-TabBar-tabCloseIcon").click()
    discard = page.locator(".jp-Dialog button", has_text="Discard")
    if discard.count():
        discard.click()
    wait_until(lambda: not _refreshes(process), 40, "the kernel to come to rest")


def test_a_table_of_a_hundred_thousand_rows_sorts_and_filters(lab: Lab, folder: str) -> None:
    notebook = f"{folder}/table.ipynb"
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(TABLE)])
    nbformat.write(stripped(made), PROJECT / notebook)
    page = lab.open(notebook)
    lab.run_all(page, notebook, seconds=240)
    grid = shown(page).locator(".zumo-grid")
    found, rows = grid.locator(".dt-info"), grid.locator("tbody tr")
    expect(found).to_have_text("100,000 found", timeout=60_000)

    grid.locator("th", has_text="run time").first.click()
    expect(rows.first).to_contain_text("row 99999", timeout=60_000)  # the shortest, 1 s, and not "1 h"
    grid.locator("th", has_text="run time").first.click()
    expect(rows.first).to_contain_text("row 00000", timeout=60_000)
    grid.locator("input[type=search]").fill("row 43210")
    expect(found).to_have_text("1 found of 100,000", timeout=60_000)
    expect(rows).to_contain_text(["row 43210"])
    assert errors(page) == []


def test_a_lost_broker_is_a_state_and_its_return_as_well(index: Clicks, stack: Stack) -> None:
    index.follow("00-control-room")
    index.run_all("00-control-room")
    room = shown(index.page).locator(".zumo-control-room")
    try:
        stack.stop_service("valkey")
        wait_until(lambda: "broker: down" in (room.text_content() or ""), 60, "the loss to be shown")
        assert errors(index.page) == []
        assert "database: ok" in (room.text_content() or "")
    finally:
        stack.start_service("valkey")
    wait_until(lambda: "broker: ok" in (room.text_content() or ""), 60, "the return to be shown")
    assert errors(index.page) == []


def _refreshes(process: object) -> bool:
    """Whether a kernel still has the thread that reads for the control room."""
    import psutil

    assert isinstance(process, psutil.Process)
    before = process.cpu_times()
    wait = psutil.cpu_percent  # a blocking measure of five seconds
    wait(interval=5)
    after = process.cpu_times()
    return (after.user + after.system) - (before.user + before.system) > 0.1
