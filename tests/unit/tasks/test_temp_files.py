"""Old files go; what lies outside of the folder, or is young, stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.base.summary import Summary
from tasks.core.temp_files import delete_older

NOW, OLD, YOUNG = 1_000_000.0, 900_000.0, 1_000_100.0


def make(path: Path, changed: float, content: bytes = b"12345") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (changed, changed))
    return path


def clean(folder: Path) -> Summary:
    summary = Summary("looked_at", "deleted", "bytes_freed", "folders")
    delete_older(folder, NOW, summary)
    return summary


def test_old_files_go_and_young_ones_stay(tmp_path: Path) -> None:
    make(tmp_path / "a" / "old", OLD)
    make(tmp_path / "a" / "b" / "old", OLD)
    young = make(tmp_path / "c" / "young", YOUNG)
    assert clean(tmp_path) == {"looked_at": 3, "deleted": 2, "bytes_freed": 10, "folders": 2, "skipped": 0}
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [young]


def test_links_are_deleted_and_never_followed(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside" / "precious", OLD)
    inside = tmp_path / "inside"
    inside.mkdir()
    for name, target in (
        ("file", outside),
        ("folder", outside.parent),
        ("up", tmp_path),
        ("gone", tmp_path / "none"),
    ):
        link = inside / name
        link.symlink_to(target)
        os.utime(link, (OLD, OLD), follow_symlinks=False)
    assert clean(inside)["deleted"] == 4
    assert list(inside.iterdir()) == []
    assert outside.read_bytes() == b"12345"


def test_an_empty_folder_that_is_young_stays(tmp_path: Path) -> None:
    for name, changed in (("young", YOUNG), ("old", OLD)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (changed, changed))
    assert clean(tmp_path)["folders"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["young"]


def test_names_of_every_kind(tmp_path: Path) -> None:
    for name in ("-rf", "new\nline", "🎉", "a b", "..hidden", os.fsdecode(b"\xff\xfe")):
        make(tmp_path / name, OLD)
    assert clean(tmp_path)["deleted"] == 6


def test_what_cannot_be_deleted_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "locked", OLD)
    make(tmp_path / "old", OLD)
    unlink = os.unlink

    def refuse(name: str, **given: int) -> None:
        if name == "locked":
            raise PermissionError(1, "Operation not permitted")
        unlink(name, **given)

    monkeypatch.setattr(os, "unlink", refuse)
    summary = clean(tmp_path)
    assert (summary["deleted"], summary["skipped"]) == (1, 1)
    assert summary["skipped_ids"][0].endswith("/locked")


def test_a_folder_that_is_not_there_is_no_trouble(tmp_path: Path) -> None:
    assert clean(tmp_path / "none")["looked_at"] == 0
