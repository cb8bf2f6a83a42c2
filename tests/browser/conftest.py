from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.acceptance.stack import Stack
from tests.browser.lab import Lab
from tests.services.chromium import chromium
from tests.services.processes import process
from tests.waiting import wait_until

NODE = "tests@here"


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running embedded stack with JupyterLab."""
    made = Stack(tmp_path_factory.mktemp("stack"))
    done = made.zumo("up")
    assert done.returncode == 0, done.stdout + done.stderr
    yield made
    made.zumo("down")


@pytest.fixture(scope="package")
def worker(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A worker that knows the tests' tasks, in place of the stack's own; gives its log."""
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    stack.stop_service("worker")
    words = ["celery", "-A", "zumolib", "worker", "-n", NODE, "-c", "3", "-I", "tests.browser.tasks"]
    environment = {**stack.environment, "ZUMO_SOLE_WORKER": "true"}
    with process(words, log, environment):
        answers(stack, log)
        yield log


def answers(stack: Stack, log: Path) -> None:
    """Wait until the worker answers."""
    wait_until(lambda: stack.app.control.ping(destination=[NODE], timeout=0.5), 60, f"the worker, see {log}")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all."""
    with chromium() as made:
        yield made


@pytest.fixture
def lab(stack: Stack, browser: Browser) -> Iterator[Lab]:
    """A fresh page of JupyterLab, without a kernel."""
    made = Lab.open(browser, stack.plan())
    yield made
    made.page.close()
    made.end_sessions()
