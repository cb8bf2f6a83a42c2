"""The two deployments; each file of tests has one of its own, so that files can run side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runbooks import deployments


@pytest.fixture(scope="module")
def embedded(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[deployments.Embedded]:
    with deployments.embedded(tmp_path_factory.mktemp("embedded"), migrated) as made:
        yield made


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[deployments.Full]:
    with deployments.full(tmp_path_factory.mktemp("full")) as made:
        yield made
