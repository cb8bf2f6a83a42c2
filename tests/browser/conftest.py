"""One running stack and one browser for all browser tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.acceptance.stack import Stack
from tests.browser.lab import Lab
from tests.browser.worker import Worker
from tests.services.chromium import chromium_of_a_person
from tests.waiting import wait_until
from zumolib.conf import PROJECT


@pytest.fixture(scope="package")
def stack(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running embedded stack."""
    made = Stack(tmp_path_factory.mktemp("stack")).with_database(migrated)
    done = made.zumo("up")
    assert done.returncode == 0, done.stdout + done.stderr
    yield made
    made.zumo("down")


@pytest.fixture(scope="package")
def running_lab(stack: Stack) -> Iterator[Lab]:
    """The stack's JupyterLab in a browser."""
    with chromium_of_a_person() as browser:
        yield Lab(browser, stack.plan())


@pytest.fixture
def lab(running_lab: Lab) -> Iterator[Lab]:
    """The same, without kernels of other tests."""
    running_lab.end_sessions()
    yield running_lab
    running_lab.close_pages()


@pytest.fixture(scope="module")
def worker(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A worker that knows the tests' tasks, in place of the stack's own."""
    stack.stop_service("worker")
    made = Worker(stack, tmp_path_factory.mktemp("worker") / "worker.log")
    try:
        wait_until(made.answers, 120, f"the worker, see {made.log}")
        yield made
    finally:
        made.end()
        stack.start_service("worker")


@pytest.fixture
def folder() -> Iterator[str]:
    """A folder for notebooks that a test may save: below the project, where git does not look."""
    with TemporaryDirectory(dir=PROJECT / "reports", prefix="2-of-a-test-") as made:
        yield str(Path(made).relative_to(PROJECT))
