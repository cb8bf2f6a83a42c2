"""The recorded history: what tasks did, how deep queues were, how workers felt.

Raw events and depth samples lie in Parquet files by day (:mod:`zumolib.segments`); a question about
tasks folds the events of the window into one record a task. Folding is a pure function of the set of
events: their order, duplicates and lateness change nothing, and a lost event leaves its own fields
empty. The fold is SQL, in ``queries.sql``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zumolib import events, queries
from zumolib.errors import HistoryError, InputError
from zumolib.segments import Segment, Segments

Source = Literal["stream", "queue", "pubsub"]

DEPTHS = pa.schema(
    [
        ("at", events.MOMENT),
        ("queue", pa.string()),
        ("ready", pa.int64()),
        ("unacked", pa.int64()),
        ("consumers", pa.int64()),
    ]
)

# A task sent with an ETA, retried slowly or redelivered has events on days outside of the window; they
# are looked for this far away, and only when some task of the window lacks its beginning or its end.
REACH = timedelta(days=7)

# What is kept aside is for a person to look at: a day's worth of a flood helps nobody.
ASIDE_BYTES = 10_000_000
ASIDE_TEXT = 10_000

_MOMENT, _TEXT, _COUNT = "datetime64[us, UTC]", "str", "Int64"

TASKS = {
    "task_id": _TEXT, "name": _TEXT, "queue": _TEXT, "worker": _TEXT, "state": _TEXT, "sent": _MOMENT,
    "eta": _MOMENT, "expires": _MOMENT, "received": _MOMENT, "started": _MOMENT, "finished": _MOMENT,
    "queue_wait": "float64", "run_time": "float64", "retries": _COUNT, "exception": _TEXT,
    "traceback": _TEXT, "args": _TEXT, "kwargs": _TEXT, "parent_id": _TEXT, "root_id": _TEXT, "entry": _TEXT,
}  # fmt: skip
DEPTH_FRAME = {"at": _MOMENT, "queue": _TEXT, "ready": _COUNT, "unacked": _COUNT, "consumers": _COUNT}
WORKERS = {
    "at": _MOMENT, "worker": _TEXT, "active": _COUNT, "processed": _COUNT, "load1": "float64", "pid": _COUNT,
    "sw_ver": _TEXT, "freq": "float64", "clock_offset": "float64",
}  # fmt: skip

Names = str | Sequence[str] | None


@dataclass(frozen=True)
class Coverage:
    """What the history holds, and how it was taken."""

    first: datetime | None  # time of the earliest event, UTC
    last: datetime | None  # time of the latest event, UTC
    events: int  # duplicates count
    files: int
    bytes: int  # of events and depth samples on disk
    source: Source | None  # of the latest events; with pubsub, what came while no recorder ran is missing
    damaged: tuple[str, ...] = ()  # files that cannot be read and are left out


class History:
    """One folder of recorded events and depth samples.

    Any number of writers and readers may use the folder at once. A reader never waits.

    Parameters
    ----------
    root
        The folder; made on the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._events = Segments(self.root / "events", events.SCHEMA)
        self._depths = Segments(self.root / "depths", DEPTHS)

    def append_events(self, rows: list[dict[str, Any]] | pa.Table, *, source: Source | None = None) -> None:
        """Put rows of :data:`zumolib.events.SCHEMA` on disk; they survive a power cut once this returns.

        Parameters
        ----------
        rows
            What :func:`zumolib.events.row` gives, or a table of that schema.
        source
            How the events were taken.

        Raises
        ------
        HistoryError
            The folder cannot be written. Rows of some days may be on disk then: append all of them
            again, since duplicates fold away.
        """
        table = rows if isinstance(rows, pa.Table) else events.table(rows)
        days = pc.cast(table["at"], pa.date32())
        for day in pc.unique(days).to_pylist():
            self._events.write(day, table.filter(pc.equal(days, pa.scalar(day))), source)

    def append_depths(self, rows: list[dict[str, Any]]) -> None:
        """Put depth samples on disk: `at` (UTC), `queue`, `ready`, `unacked`, `consumers` (None: unknown).

        Raises
        ------
        HistoryError
            The folder cannot be written.
        """
        for day, found in _by_day(rows).items():
            self._depths.write(day, pa.Table.from_pylist(found, schema=DEPTHS))

    def append_aside(self, raw: object, *, reason: str = "", at: datetime | None = None) -> bool:
        """Keep what is no event, as one JSON line; False when the day's file is full.

        Raises
        ------
        HistoryError
            The folder cannot be written.
        """
        at = at or datetime.now(UTC)
        text = (
            raw.decode("utf-8", "replace")
            if isinstance(raw, bytes)
            else raw
            if isinstance(raw, str)
            else repr(raw)
        )
        line = json.dumps({"at": at.isoformat(), "reason": reason[:500], "raw": text[:ASIDE_TEXT]})
        path = self.root / "aside" / f"{at.astimezone(UTC).date()}.jsonl"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="ascii") as sink:
                if sink.tell() > ASIDE_BYTES:
                    return False
                sink.write(line + "\n")
        except OSError as error:
            raise HistoryError(
                f"{path} cannot be written ({error.strerror}); free space or make it writable"
            ) from error
        return True

    def tasks(
        self,
        start: datetime,
        end: datetime,
        *,
        name: Names = None,
        queue: Names = None,
        worker: Names = None,
        state: Names = None,
    ) -> pd.DataFrame:
        """One row a task that was sent, received, started or finished in ``[start, end)``.

        The record is of the task's last attempt, and of all that is known by now: a task that was
        started in the window and ended after it shows its end.

        Parameters
        ----------
        start, end
            The window; both carry a zone.
        name, queue, worker, state
            Keep these only; one or several.

        Returns
        -------
        pandas.DataFrame
            - `task_id`, `name`, `queue`, `worker`, `state` (str): `queue` is missing for a task whose
              producer sends no task-sent event; `state` is one of :mod:`celery.states`
            - `sent`, `eta`, `expires`, `received`, `started`, `finished` (datetime64[us, UTC])
            - `queue_wait` (float, seconds): started − max(sent, eta), never below 0
            - `run_time` (float, seconds): finished − started
            - `retries` (Int64): attempts before this one
            - `exception`, `traceback` (str): of a FAILURE or a RETRY
            - `args`, `kwargs` (str): representations, shortened by Celery
            - `parent_id`, `root_id`, `entry` (str)

            In order of `sent` (else of the first time that is known). What is not known is missing.

        Raises
        ------
        InputError
            `start` or `end` has no zone.
        """
        window = _window(start, end)
        filters = {"name": name, "queue": queue, "worker": worker, "state": state}
        values = {**window, **{key: _listed(value) for key, value in filters.items()}}

        def fold(connection: duckdb.DuckDBPyConnection) -> pa.Table | None:
            first, last = _days(window)
            near = self._events.find(first, last)
            if not near:
                return None
            connection.execute(_query("candidates", near), window)
            [(before, after)] = connection.sql(_query("open_ends")).fetchall()
            files = near
            if before:
                files = self._events.find(first - REACH, first - timedelta(days=1)) + files
            if after:
                files = files + self._events.find(last + timedelta(days=1), last + REACH)
            return connection.sql(_query("tasks", files), params=values).to_arrow_table()

        return self._frame(fold, TASKS, self._events)

    def depths(self, start: datetime, end: datetime, *, queue: Names = None) -> pd.DataFrame:
        """Depth samples taken in ``[start, end)``.

        Returns
        -------
        pandas.DataFrame
            `at` (datetime64[us, UTC]), `queue` (str), `ready`, `unacked`, `consumers` (Int64: messages
            and consumers; missing where the broker does not tell), in order of time and queue.

        Raises
        ------
        InputError
            `start` or `end` has no zone.
        """
        window = _window(start, end)

        def select(connection: duckdb.DuckDBPyConnection) -> pa.Table | None:
            files = self._depths.find(*_days(window))
            if not files:
                return None
            values = {**window, "queue": _listed(queue)}
            return connection.sql(_query("depths", files), params=values).to_arrow_table()

        return self._frame(select, DEPTH_FRAME, self._depths)

    def workers(self, start: datetime, end: datetime) -> pd.DataFrame:
        """Heartbeats sent in ``[start, end)``.

        Returns
        -------
        pandas.DataFrame
            `at` (datetime64[us, UTC]), `worker` (str), `active`, `processed` (Int64, tasks), `load1`
            (float), `pid` (Int64), `sw_ver` (str), `freq` (float, seconds between heartbeats),
            `clock_offset` (float, seconds from the worker's clock to that of whoever took the event; a
            heartbeat that waited for a recorder shows its wait).

        Raises
        ------
        InputError
            `start` or `end` has no zone.
        """
        window = _window(start, end)

        def select(connection: duckdb.DuckDBPyConnection) -> pa.Table | None:
            files = self._events.find(*_days(window))
            return connection.sql(_query("workers", files), params=window).to_arrow_table() if files else None

        return self._frame(select, WORKERS, self._events)

    def coverage(self) -> Coverage:
        """What the history holds by now."""

        def measure(connection: duckdb.DuckDBPyConnection) -> Coverage:
            found, depths = self._events.find(), self._depths.find()
            first = last = None
            if found:
                edges = [s for s in found if s.day in (found[0].day, found[-1].day)]
                row = connection.sql(_query("extent", edges)).to_arrow_table().to_pylist()[0]
                first, last = (moment.astimezone(UTC) for moment in (row["first"], row["last"]))
            taken = [s for s in sorted(found, key=lambda s: s.written) if s.source]
            damaged = self._events.damaged() + self._depths.damaged()
            return Coverage(
                first=first,
                last=last,
                events=sum(s.rows for s in found),
                files=len(found) + len(depths),
                bytes=sum(s.bytes for s in found + depths),
                source=taken[-1].source if taken else None,  # type: ignore[arg-type]
                damaged=tuple(str(path.relative_to(self.root)) for path in damaged),
            )

        return self._ask(measure, self._events)

    def any_task(self) -> bool:
        """Whether any task was ever recorded."""

        def look(connection: duckdb.DuckDBPyConnection) -> bool:
            files = self._events.find()
            return bool(files) and bool(connection.sql(_query("any_task", files)).fetchall())

        return bool(self._ask(look, self._events))

    def compact(self, now: datetime) -> int:
        """Merge small files; returns how many files were deleted. Safe at any instant, beside anyone."""
        return self._events.compact(now) + self._depths.compact(now)

    def retain(self, *, days: int, now: datetime) -> list[date]:
        """Delete what is older than `days` whole days; returns the days that went.

        Raises
        ------
        InputError
            `days` is below 1.
        HistoryError
            A folder cannot be deleted.
        """
        if days < 1:
            raise InputError(f"days={days}: at least today is kept; use 1 or more")
        first = now.astimezone(UTC).date() - timedelta(days=days - 1)
        gone = {*self._events.retain(first), *self._depths.retain(first)}
        for path in (self.root / "aside").glob("*.jsonl"):
            if path.stem < str(first):
                path.unlink(missing_ok=True)
        return sorted(gone)

    def _frame(self, ask: Any, dtypes: dict[str, str], segments: Segments) -> pd.DataFrame:
        table = self._ask(ask, segments)
        if table is None:
            return pd.DataFrame({column: pd.Series(dtype=dtype) for column, dtype in dtypes.items()})
        integers = {pa.int64(): pd.Int64Dtype()}
        frame = table.to_pandas(types_mapper=integers.get)
        return frame[list(dtypes)].astype(dtypes)

    def _ask(self, ask: Any, segments: Segments) -> Any:
        """Answer, again if a file went or turned out to be damaged while it was read."""
        for _ in range(5):
            try:
                with queries.connect() as connection:
                    return ask(connection)
            except duckdb.Error as error:
                failure = error
                queries.forget()
                # A file that went between the listing and the reading makes an I/O error, once.
                doubted = [segments.doubt(segment) for segment in segments.find()]
                if not any(doubted) and not isinstance(error, duckdb.IOException):
                    raise
        raise HistoryError(f"{self.root} cannot be read: {failure}") from failure


def _query(name: str, files: Sequence[Segment] = ()) -> str:
    return queries.query(name, (segment.path for segment in files))


def _window(start: datetime, end: datetime) -> dict[str, datetime]:
    for name, moment in (("start", start), ("end", end)):
        if moment.tzinfo is None:
            raise InputError(f"{name}={moment}: has no zone; give one, as datetime(…, tzinfo=UTC)")
    return {"start": start.astimezone(UTC), "end": end.astimezone(UTC)}


def _days(window: dict[str, datetime]) -> tuple[date, date]:
    return window["start"].date(), window["end"].date()


def _listed(value: Names) -> list[str] | None:
    return None if value is None else [value] if isinstance(value, str) else [str(v) for v in value]


def _by_day(rows: list[dict[str, Any]]) -> dict[date, list[dict[str, Any]]]:
    days: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        days[row["at"].astimezone(UTC).date()].append(row)
    return days
