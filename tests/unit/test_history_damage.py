"""Files that are damaged, deleted or half-written: they are named, and the rest can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.unit.lives import DAY, LATER, START, files, ids, life, sent
from zumolib.errors import HistoryError
from zumolib.history import History, place, view


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "page"])
def test_a_damaged_file_is_named_and_left_out(tmp_path: Path, damage: str):
    found = History(tmp_path)
    found.append_events([sent(n) for n in range(5)])
    [sound] = files(tmp_path)
    found.append_events([sent(n) for n in range(5, 500)])
    [bad] = set(files(tmp_path)) - {sound}
    content = bad.read_bytes()
    if damage == "page":
        # The footer is whole, so only reading the data finds it.
        offset = pq.read_metadata(bad).row_group(0).column(1).data_page_offset
        bad.write_bytes(content[:offset] + b"\xff" * 200 + content[offset + 200 :])
    else:
        bad.write_bytes({"truncated": content[:-100], "garbage": b"PAR1 is not enough", "empty": b""}[damage])
    again = History(tmp_path)
    assert ids(again) == [f"t{n}" for n in range(5)]
    again.compact(LATER, at_once=True)
    assert ids(again) == [f"t{n}" for n in range(5)]
    assert again.coverage().damaged == (str(bad.relative_to(tmp_path)),)


def test_a_file_that_goes_while_it_is_read_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found = History(tmp_path)
    found.append_events([sent(1)])
    found.append_events([sent(2)])
    assert len(ids(found)) == 2
    view.forget()
    waiting = view.waiting

    def delete_first(*args: Any) -> Any:
        listed = waiting(*args)
        files(tmp_path)[0].unlink(missing_ok=True)
        monkeypatch.setattr(view, "waiting", waiting)
        return listed

    monkeypatch.setattr(view, "waiting", delete_first)
    assert ids(found) == ["t2"]
    assert found.coverage().damaged == ()


def test_a_settled_file_that_somebody_deleted_is_named_and_left_out(tmp_path: Path):
    found = History(tmp_path)
    found.append_events(life(1) + life(2, START - DAY))
    found.compact(LATER, at_once=True)
    [gone] = tmp_path.glob(f"tasks/day={START.date()}/*.parquet")
    gone.unlink()
    assert ids(found, START - 2 * DAY) == ["t2"]
    assert found.coverage().damaged == (str(gone.relative_to(tmp_path)),)
    found.append_events(life(1))
    found.compact(LATER, at_once=True)
    assert ids(History(tmp_path), START - 2 * DAY) == ["t2", "t1"]


def test_a_folder_that_cannot_be_written_says_which_and_what_to_do(tmp_path: Path):
    (tmp_path / "events").write_text("in the way")
    with pytest.raises(HistoryError, match=r"events.*cannot be written.*free space or make it writable"):
        History(tmp_path).append_events([sent(1)])


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found = History(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(place.os, "fsync", full)
        with pytest.raises(HistoryError, match="No space left"):
            found.append_events([sent(1)])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    found.append_events([sent(1)])
    assert ids(found) == ["t1"]
