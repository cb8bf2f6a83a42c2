from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running embedded stack, shared by the tests that leave it as they found it."""
    made = Stack(tmp_path_factory.mktemp("stack"))
    done = made.zumo("up")
    assert done.returncode == 0, done.stdout + done.stderr
    yield made
    made.zumo("down")


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Stack]:
    """A home in which nothing was started yet."""
    made = Stack(tmp_path / "home")
    yield made
    made.zumo("down")
