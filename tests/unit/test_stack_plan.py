"""Where the socket of a stack with a long path lies: nowhere that somebody else could have made."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from zumolib.errors import StackError
from zumolib.stack.plan import SHORT_FOLDER, prepare, supervisor_socket


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose path is too long for a socket; the temporary folder is the test's."""
    short = tempfile.mkdtemp(prefix="zt", dir="/tmp")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    monkeypatch.setattr(tempfile, "tempdir", short)
    return tmp_path / ("d" * 60) / ("e" * 60)


def test_a_short_path_holds_its_own_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(tempfile.mkdtemp(prefix="zt", dir="/tmp"))
    prepare(home, min_free_mb=0)
    assert supervisor_socket(home) == home / "run" / "supervisor.sock"


def test_the_place_is_random_private_and_remembered(deep: Path) -> None:
    prepare(deep, min_free_mb=0)
    socket = supervisor_socket(deep)
    assert socket.parent.parent == Path(tempfile.gettempdir())
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    prepare(deep, min_free_mb=0)
    assert supervisor_socket(deep) == socket
    other = deep.with_name("f" * 60)
    prepare(other, min_free_mb=0)
    assert supervisor_socket(other) != socket


@pytest.mark.parametrize("how", ["open to all", "of somebody else", "a link", "gone"])
def test_a_place_that_is_not_safe_any_more_is_left(how: str, deep: Path, tmp_path: Path) -> None:
    prepare(deep, min_free_mb=0)
    before = supervisor_socket(deep)
    if how == "open to all":
        before.parent.chmod(0o777)
    elif how == "of somebody else":
        if os.getuid():
            pytest.skip("only root can give a folder away")
        os.chown(before.parent, 12_345, 12_345)
    else:
        before.parent.rmdir()
        if how == "a link":
            elsewhere = tmp_path / "elsewhere"
            elsewhere.mkdir(mode=0o700)
            before.parent.symlink_to(elsewhere)
    assert supervisor_socket(deep) == deep / "run" / "supervisor.sock"  # too long: nobody is asked
    prepare(deep, min_free_mb=0)
    assert supervisor_socket(deep).parent != before.parent


def test_no_place_is_short_enough(deep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "isdir", lambda _path: False)
    with pytest.raises(StackError, match="shorter"):
        prepare(deep, min_free_mb=0)
    assert not (deep / SHORT_FOLDER).exists()
