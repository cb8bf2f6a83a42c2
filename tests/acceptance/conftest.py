from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack


@pytest.fixture(scope="package")
def stack(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running embedded stack, shared by the tests that leave it as they found it."""
    made = Stack(tmp_path_factory.mktemp("stack")).with_database(migrated)
    made.up()
    yield made
    made.zumo("down")


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Stack]:
    """A home in which nothing was started yet."""
    made = Stack(tmp_path / "home")
    yield made
    made.zumo("down")


@pytest.fixture
def resting(empty: Stack, migrated: Path) -> Stack:
    """A home whose ports are chosen and whose database is there, and nothing runs."""
    empty.prepare()
    return empty.with_database(migrated)
