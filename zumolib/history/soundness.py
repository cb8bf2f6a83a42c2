"""Whether a history can be reached and read, told from its lists alone: no file is opened.

It is what ``zumo status`` shows, so it loads no database and waits for no store that is silent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from zumolib.errors import HistoryError
from zumolib.history import doubts
from zumolib.history.address import opened
from zumolib.history.manifest import newest

EVENTS, DEPTHS = "events", "depths"  # where recorders append
PATIENCE = 5  # seconds for an object store to answer

State = Literal["sound", "empty", "damaged", "unreachable"]


@dataclass(frozen=True)
class Soundness:
    """The state of a history's files."""

    place: str  # folder, or the store's URL without keys
    state: State
    files: int = 0  # that a question may read
    damaged: tuple[str, ...] = ()  # still there, and left out of every answer
    missing: tuple[str, ...] = ()  # listed, and deleted by somebody else
    problem: str = ""  # in words, where it is neither sound nor empty
    remedy: str = ""


def look(root: Path | str) -> Soundness:
    """Look at the history of this address. What fails is told, and not raised.

    Known to be damaged is what a fold or a question could not read, and what has another size than it was
    written with. A file that is damaged within is found by the first who reads it.
    """
    try:
        place = opened(root, patience=PATIENCE)
    except HistoryError as error:
        return _unreachable(str(root).partition("?")[0], error)
    try:
        manifest = newest(place)
        folders = {segment.name.partition("/")[0] for segment in manifest.segments}
        folders |= {name.partition("/")[0] for name in manifest.damaged} | {EVENTS, DEPTHS}
        there = {entry.name: entry.bytes for folder in sorted(folders) for entry in place.entries(folder)}
    except HistoryError as error:
        return _unreachable(place.url, error)
    listed = {segment.name: segment.bytes for segment in manifest.segments}
    cut = [name for name, size in listed.items() if there.get(name, size) != size]
    found = Soundness(
        place.url,
        "sound",
        len(there.keys() - manifest.unread),
        damaged=tuple(sorted(there.keys() & {*manifest.damaged, *doubts.noted(place.root), *cut})),
        missing=tuple(sorted(listed.keys() - there.keys())),
    )
    if found.damaged:
        return replace(
            found,
            state="damaged",
            problem=f"{_counted(found.damaged)} damaged and left out, first {found.damaged[0]}",
            remedy="look at the disk; what the files held is lost: delete them to be told no more",
        )
    if found.missing:
        return replace(
            found,
            state="damaged",
            problem=f"{_counted(found.missing)} missing, first {found.missing[0]}",
            remedy="put them back: somebody else deleted them, and what they held is in no answer",
        )
    return found if found.files else replace(found, state="empty")


def _counted(names: tuple[str, ...]) -> str:
    return "1 file is" if len(names) == 1 else f"{len(names):,} files are"


def _unreachable(place: str, error: HistoryError) -> Soundness:
    problem, _, remedy = str(error).rpartition("; ")
    return Soundness(place, "unreachable", problem=problem or remedy, remedy=remedy if problem else "")
