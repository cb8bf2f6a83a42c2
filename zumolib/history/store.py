"""The recorded history: what tasks did, how deep queues were, how workers felt.

A recorder appends small files of raw events. In the background (:meth:`History.compact`) they are
folded into one record a task, settled by the day on which the task finished; a question reads the
settled files of its window and completes them with what is not folded yet. Folding is a pure function of
the set of events: their order, duplicates and lateness change nothing, and a lost event leaves its own
fields empty. The fold is SQL, in ``queries.sql``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa

from zumolib.errors import InputError
from zumolib.history import appended, aside, events, queries, tidying
from zumolib.history.address import opened
from zumolib.history.coverage import Coverage, Source, cover
from zumolib.history.gathering import DEPTHS
from zumolib.history.queries import query
from zumolib.history.reader import Reader
from zumolib.history.shapes import DEPTH_FRAME, TASKS, WORKERS, framed
from zumolib.history.view import By, View

Names = str | Sequence[str] | None


class Window(Protocol):
    """A stretch of time: `start` belongs to it, `end` does not. Both carry a zone."""

    @property
    def start(self) -> datetime: ...

    @property
    def end(self) -> datetime: ...


class History:
    """Recorded events and depth samples, in a local folder or an object store.

    Any number of recorders and readers may use it at once. A reader never waits.

    Parameters
    ----------
    root
        The folder, made on the first write; or the URL of an object store, as ``s3://bucket/prefix``.
    """

    def __init__(self, root: Path | str) -> None:
        self.address = root
        self.place = opened(root)
        self.root = self.place.root
        self._reader = Reader(self.place)

    def append_events(self, rows: list[dict[str, Any]] | pa.Table, *, source: Source | None = None) -> None:
        """Put rows of :data:`zumolib.history.events.SCHEMA` on disk; they survive a power cut once this returns.

        Parameters
        ----------
        rows
            What :func:`zumolib.history.events.row` gives, or a table of that schema.
        source
            How the events were taken.

        Raises
        ------
        HistoryError
            The place cannot be written. None of the rows is there then.
        """
        table = rows if isinstance(rows, pa.Table) else events.table(rows)
        if table.num_rows:
            appended.write(self.place, appended.EVENTS, table, source)

    def append_depths(self, rows: list[dict[str, Any]]) -> None:
        """Put depth samples on disk: dictionaries with the columns of :data:`DEPTHS` (None: unknown).

        Raises
        ------
        HistoryError
            The place cannot be written.
        """
        if rows:
            appended.write(self.place, appended.DEPTHS, pa.Table.from_pylist(rows, schema=DEPTHS))

    def append_aside(self, refused: Iterable[tuple[object, str]], *, at: datetime | None = None) -> int:
        """Keep what is no event, each with its reason, as one JSON line; returns how many found room in the day's file.

        Raises
        ------
        HistoryError
            The folder cannot be written.
        """
        return aside.append(self.root, refused, at=at or datetime.now(UTC))

    def select(
        self, statement: str, window: Window | tuple[datetime, datetime], *, by: By = "any", **values: Any
    ) -> pa.Table:
        """Ask a question in SQL.

        Parameters
        ----------
        statement
            The name of a statement of the package's .sql files, or the text of one. In it, ``{tasks}``,
            ``{depths}`` and ``{beats}`` are tables with the columns of :meth:`tasks`, :meth:`depths` and
            :meth:`workers`, which hold at least what touches the window: the statement restricts them,
            by ``$start`` and ``$end``.
        window
            What the question is about.
        by
            Which tasks are wanted at least: those known to be somewhere between their first and last
            moment in the window ("any"), or those that finished in it ("finished").
        values
            The statement's parameters beside ``start`` and ``end``; those that it does not use are
            passed over.

        Raises
        ------
        InputError
            An end of the window has no zone.
        HistoryError
            The history cannot be read.
        """
        moments = _window(*(window if isinstance(window, tuple) else (window.start, window.end)))
        text = query(statement) if re.fullmatch(r"\w+", statement) else statement
        named = set(re.findall(r"\$(\w+)", text))
        used = {key: value for key, value in {**values, **moments}.items() if key in named}
        tables = {name for name in ("tasks", "depths", "beats") if f"{{{name}}}" in text}

        def run(look: View) -> pa.Table:
            parts = {}
            if "tasks" in tables:
                parts["tasks"] = look.tasks_table(**moments, by=by)
            if "depths" in tables:
                parts["depths"] = look.depths_table(**moments)
            if "beats" in tables:
                parts["beats"] = look.beats_table(**moments)
            return look.connection.sql(queries.fill(text, **parts), params=used).to_arrow_table()

        return self._reader.ask(run)

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
        filters = {"name": name, "queue": queue, "worker": worker, "state": state}
        listed: dict[str, Any] = {key: _listed(value) for key, value in filters.items()}
        return framed(self.select("tasks", (start, end), **listed), TASKS)

    def depths(self, start: datetime, end: datetime, *, queue: Names = None) -> pd.DataFrame:
        """Depth samples taken in ``[start, end)``.

        Returns
        -------
        pandas.DataFrame
            `at` (datetime64[us, UTC]), `queue` (str), `ready`, `unacked` (Int64, messages), `consumers`
            (Int64), `rate_in`, `rate_out` (float, messages a second); missing where the broker does not
            tell; in order of time and queue.

        Raises
        ------
        InputError
            `start` or `end` has no zone.
        """
        return framed(self.select("depths", (start, end), queue=_listed(queue)), DEPTH_FRAME)

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
        return framed(self.select("workers", (start, end)), WORKERS)

    def coverage(self) -> Coverage:
        """What the history holds by now."""
        return self._reader.ask(lambda look: cover(look, self._reader.doubted))

    def any_task(self) -> bool:
        """Whether any task was ever recorded."""
        return self._reader.ask(lambda look: bool(look.manifest.of("tasks") or look.hot().records.num_rows))

    def compact(self, now: datetime, *, at_once: bool = False) -> int:
        """Fold what waits, merge small files, delete what both replaced. Safe at any instant, beside anyone.

        Parameters
        ----------
        at_once
            Fold however little it is; else small amounts wait for more, or for half a minute.

        Returns
        -------
        int
            How many files were deleted.

        Raises
        ------
        HistoryError
            The place cannot be written.
        """
        return tidying.tidy(self.place, now.astimezone(UTC), at_once=at_once)

    def retain(self, *, days: int, gigabytes: float | None = None, now: datetime) -> list[date]:
        """Let go of what is older than `days` whole days, and of the oldest days beyond `gigabytes`.

        Parameters
        ----------
        days
            Today is one of them.
        gigabytes
            Of files, in 10⁹ bytes; None for no limit. Today stays in any case.

        Returns
        -------
        list of date
            The days that went. Their files are deleted some minutes later, by :meth:`compact`, when
            nobody can be reading them.

        Raises
        ------
        InputError
            `days` is below 1, or `gigabytes` is not above 0.
        HistoryError
            The place cannot be written.
        """
        if days < 1:
            raise InputError(f"days={days}: at least today is kept; use 1 or more")
        if gigabytes is not None and not gigabytes > 0:
            raise InputError(f"gigabytes={gigabytes}: use more than 0, or None for no limit")
        first = now.astimezone(UTC).date() - timedelta(days=days - 1)
        aside.retain(self.root, first)
        most = None if gigabytes is None else gigabytes * 1e9
        return tidying.retain(self.place, first=first, most=most, now=now.astimezone(UTC))


def _window(start: datetime, end: datetime) -> dict[str, datetime]:
    for name, at in (("start", start), ("end", end)):
        if at.tzinfo is None:
            raise InputError(f"{name}={at}: has no zone; give one, as datetime(…, tzinfo=UTC)")
    return {"start": start.astimezone(UTC), "end": end.astimezone(UTC)}


def _listed(value: Names) -> list[str] | None:
    return None if value is None else [value] if isinstance(value, str) else [str(v) for v in value]
