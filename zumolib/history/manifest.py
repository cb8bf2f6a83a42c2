"""The list of what belongs to a history: which files are read, which wait to be deleted.

A background step writes its new files first and then one manifest, ``manifests/<number>.json``, with
everything that is to be read from now on. The manifest appears at once and only if its number is free:
a crash before it leaves the old state whole, and of two steps that worked from the same state one wins.
Files that it no longer lists stay for a while, for readers that began before.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal, get_args

from zumolib.errors import HistoryError
from zumolib.history.place import Entry, Place

logger = logging.getLogger(__name__)

VERSION = 1
FOLDER = "manifests"

# Longer than any question takes between reading a manifest and reading the files that it lists.
GRACE = timedelta(seconds=120)

# Manifests that are kept: the last one, and what it is replaced by if it turns out to be damaged.
KEPT = 3

Kind = Literal["tasks", "open", "heartbeats", "samples"]
KINDS: tuple[Kind, ...] = get_args(Kind)  # each one's folder has its name


@dataclass(frozen=True)
class Segment:
    """One Parquet file and what it holds. Moments are microseconds since 1970, None where there are none."""

    name: str
    kind: Kind
    day: str  # YYYY-MM-DD, UTC; empty for tasks in flight
    rows: int
    bytes: int
    made: int  # when it was written
    first: int | None  # the earliest moment of its rows
    last: int | None
    low: int | None = None  # the earliest moment at which one of its tasks finished
    high: int | None = None
    ended: bool = True  # False: tasks that were given up unfinished


@dataclass(frozen=True)
class Manifest:
    """The state of a history after one step in the background."""

    number: int = 0
    segments: tuple[Segment, ...] = ()
    gone: dict[str, int] = field(default_factory=dict)  # name: since when; to be deleted, not to be read
    damaged: tuple[str, ...] = ()  # unreadable; kept on disk for a person to look at
    events: int = 0  # folded so far, duplicates included
    source: str | None = None  # how the latest of them were taken
    folded: int = 0  # when the last fold was, in microseconds since 1970
    seconds: float = 0.0  # that it took
    token: str = ""  # tells this state from any other, also from one of the same number
    version: int = VERSION

    def of(self, kind: Kind) -> list[Segment]:
        """The segments of one kind, in order of day."""
        return [segment for segment in self.segments if segment.kind == kind]

    @cached_property
    def unread(self) -> frozenset[str]:
        """Names that lie in the place and are not to be read."""
        return frozenset(self.gone) | frozenset(self.damaged)

    def with_only(self, segments: tuple[Segment, ...]) -> Manifest:
        """The same state, of which only these segments can be read."""
        return self if segments == self.segments else replace(self, segments=segments)

    def after(
        self,
        now: datetime,
        *,
        add: Iterable[Segment] = (),
        drop: Iterable[str] = (),
        consumed: Iterable[str] = (),
        **changes: Any,
    ) -> Manifest:
        """The next manifest: with these segments more, and without those, whose files are to be deleted."""
        dropped = set(drop)
        since = micros(now)
        return replace(
            self,
            number=self.number + 1,
            token=secrets.token_hex(8),
            segments=tuple(
                sorted(
                    [s for s in self.segments if s.name not in dropped] + list(add),
                    key=lambda s: (s.kind, s.day, s.made, s.name),
                )
            ),
            gone=self.gone | dict.fromkeys([*dropped, *consumed], since),
            **changes,
        )


def newest(place: Place) -> Manifest:
    """The last manifest that can be read; an empty one where there is none.

    Raises
    ------
    HistoryError
        The place cannot be read, or a later version of this program wrote it.
    """
    for _ in range(5):
        entries = place.entries(FOLDER)
        taken = max((_number(entry.name) for entry in entries), default=0)
        again = False
        for entry in reversed(entries):
            try:
                found = _read(place, entry)
            except FileNotFoundError:
                again = True
                break  # deleted since it was listed, so there is a newer one
            except (ValueError, TypeError, KeyError) as error:
                logger.warning(
                    "%s/%s is damaged (%s); the one before it is used", place.url, entry.name, error
                )
                continue
            # What comes next must not take the name of a damaged one.
            return found if found.number == taken else replace(found, number=taken)
        if not again:
            return Manifest(number=taken)
    raise HistoryError(f"{place.url}: its manifests change faster than they can be read; try again")


def commit(place: Place, manifest: Manifest) -> bool:
    """Make this the state of the history; False when someone else's step came first."""
    content = json.dumps(
        {f.name: getattr(manifest, f.name) for f in fields(manifest)}
        | {"segments": [_packed(segment) for segment in manifest.segments]}
    )
    if not place.claim(f"{FOLDER}/{manifest.number:012}.json", content.encode()):
        return False
    for entry in place.entries(FOLDER)[:-KEPT]:
        place.delete(entry.name)
    return True


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def moment(value: int | None) -> datetime | None:
    """The moment of so many microseconds since 1970."""
    return None if value is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)


def _number(name: str) -> int:
    text = name.rpartition("/")[2].removesuffix(".json")
    return int(text) if text.isdigit() else 0


_FIELDS = [f.name for f in fields(Segment)]


def _packed(segment: Segment) -> list[Any]:
    return [getattr(segment, name) for name in _FIELDS]


# The last ones that were parsed: a question has no time to read the same list again.
_parsed: dict[tuple[str, Entry], Manifest] = {}


def _read(place: Place, entry: Entry) -> Manifest:
    key = (place.url, entry)
    found = _parsed.get(key)
    if found is None:
        found = _parse(entry.name, place.read(entry.name))
        while len(_parsed) >= 8:
            _parsed.pop(next(iter(_parsed)), None)
        _parsed[key] = found
    return found


def _parse(name: str, content: bytes) -> Manifest:
    raw = json.loads(content)
    if raw["version"] > VERSION:
        raise HistoryError(
            f"{name} was written by a later version of this program; bring this one up to date"
        )
    raw["segments"] = tuple(Segment(*packed) for packed in raw["segments"])
    raw["damaged"] = tuple(raw["damaged"])
    if _number(name) != raw["number"]:
        raise ValueError(f"says that it is number {raw['number']}")
    return Manifest(**raw)
