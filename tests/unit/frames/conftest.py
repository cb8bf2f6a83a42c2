"""The recorded history, made once."""

from __future__ import annotations

import pytest

from tests import recorded
from zumolib.history import History


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return recorded.make(tmp_path_factory.mktemp("history"))
