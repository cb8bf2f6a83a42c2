"""The recorder: takes events from the broker, puts them on disk, and only then lets go of them.

It runs until it is stopped. A broker that is down is waited for; a disk that is full or read-only is
tried again while the broker keeps the events; what is no event is counted and kept aside. Several
recorders may write into one folder under different names.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import IO, Any

from celery import Celery

from zumolib import events, sources
from zumolib.conf import hide
from zumolib.errors import BrokerError, HistoryError, InputError
from zumolib.history import History
from zumolib.inspection import Depths

logger = logging.getLogger(__name__)

COMPACT_SECONDS = 15.0
WAITING_SECONDS = 5.0  # between two questions for the number of events that wait at the broker
RATE_SECONDS = 10.0  # events a second are the mean of this long
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 15.0  # seconds between two attempts to connect

# Rows held with pub/sub while the disk refuses them; then the oldest are dropped and counted. Other
# sources take no more than their prefetch, and the broker keeps the rest.
HELD_ROWS = 50_000


@dataclass
class State:
    """What the recorder says of itself, in ``recorder-<name>.json``."""

    name: str
    pid: int
    state: str = "starting"  # starting, recording, broker down, cannot write, stopped
    reason: str = ""  # of a trouble, with its remedy
    source: str | None = None  # queue, stream or pubsub
    started: str = ""  # times are ISO 8601, UTC
    updated: str = ""
    last_flush: str | None = None
    last_event: str | None = None  # time of the latest event on disk
    lag_seconds: float | None = None  # age of the oldest event when it reached the disk, last flush
    waiting: int | None = None  # messages at the broker that no recorder has taken
    held: int = 0  # events taken and not yet on disk
    events: int = 0  # on disk since the start
    events_per_second: float = 0.0
    malformed: int = 0  # no events at all, kept aside
    dropped: int = 0  # lost here: pub/sub while the disk refused
    reconnects: int = 0
    depths: str = ""  # why the last depth sample failed; empty when it did not


class Recorder:
    """Records one app's events and queue depths into one history.

    Parameters
    ----------
    app
        Any Celery app.
    history
        Where to.
    interval
        Seconds between flushes: how old an event may get before it can be read.
    depth_interval
        Seconds between depth samples.
    name
        Tells recorders on one history or one broker apart.
    retain_days
        Delete days older than this; None keeps all.
    management_url
        RabbitMQ's management API, for unacked messages.

    Raises
    ------
    InputError
        `name` is not fit for a file name.
    """

    def __init__(
        self,
        app: Celery,
        history: History,
        *,
        interval: float = 1.0,
        depth_interval: float = 5.0,
        name: str = "recorder-1",
        retain_days: int | None = None,
        management_url: str = "",
    ) -> None:
        if not re.fullmatch(r"[\w.@-]{1,100}", name):
            raise InputError(f"name={name!r}: is part of a file name; use letters, digits, dots and dashes")
        self.app = app
        self.history = history
        self.interval = interval
        self.depth_interval = depth_interval
        self.name = name
        self.retain_days = retain_days
        self.state = State(name, os.getpid(), started=_now())
        self._depths = Depths(app, management_url=management_url)
        self._rows: list[dict[str, Any]] = []
        self._rates: deque[tuple[float, int]] = deque()
        self._errors = sources.errors(app)

    def run(self, stop: threading.Event) -> None:
        """Record until `stop` is set.

        Raises
        ------
        HistoryError
            Another recorder of this name writes into this folder.
        """
        with self._lock(stop):
            threads = [
                threading.Thread(
                    target=self._repeat, args=(stop, self.depth_interval, self._sample), daemon=True
                ),
                threading.Thread(target=self._repeat, args=(stop, COMPACT_SECONDS, self._tidy), daemon=True),
            ]
            for thread in threads:
                thread.start()
            pause = SHORTEST_PAUSE
            while not stop.is_set():
                began = time.monotonic()
                try:
                    self._record(stop)
                except self._errors as error:
                    self._lose(error)
                except Exception as error:
                    logger.exception("Recorder %s stumbled; it connects anew", self.name)
                    self._lose(error)
                if not stop.is_set():
                    pause = SHORTEST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else pause
                    stop.wait(pause)
                    pause = min(LONGEST_PAUSE, pause * 2)
            for thread in threads:
                thread.join(timeout=5)
            self._depths.close()
            self._report("stopped", "")

    def _record(self, stop: threading.Event) -> None:
        """Take and flush until the broker goes away, which raises, or `stop` is set."""
        source = sources.connect(self.app, self.name)
        self.state.source = source.kind
        self._report("recording", "")
        flush_at = time.monotonic() + self.interval
        ask_at = 0.0
        try:
            while not stop.is_set():
                wait = min(self.interval, max(0.01, flush_at - time.monotonic()))
                self._accept(source, source.take(wait))
                if time.monotonic() < flush_at and not (source.full() and self.state.state == "recording"):
                    continue
                flush_at = time.monotonic() + self.interval
                self._flush(source)
                if time.monotonic() >= ask_at:
                    self.state.waiting = source.waiting()
                    ask_at = time.monotonic() + WAITING_SECONDS
                self._write_state()
            self._flush(source)
        finally:
            with contextlib.suppress(*self._errors):
                source.close()

    def _lose(self, error: BaseException) -> None:
        """The connection is gone: keep what is held, if the disk lets us."""
        self.state.reconnects += 1
        self._flush(None)
        if self._rows and self.state.source != "pubsub":
            # Not settled, so the broker delivers them again.
            self._rows = []
            self.state.held = 0
        self._report("broker down", f"{hide(self.app.conf.broker_url)}: {error}; it is tried again")

    def _accept(self, source: sources.Source, messages: list[sources.Taken]) -> None:
        for message in messages:
            if message.problem:
                self._put_aside(message.body, message.problem)
                continue
            # Workers send batches, as lists.
            for event in message.body if isinstance(message.body, list) else [message.body]:
                try:
                    self._rows.append(events.row(event, message.received))
                except events.MalformedEvent as error:
                    self._put_aside(event, str(error))
        excess = len(self._rows) - HELD_ROWS
        if source.kind == "pubsub" and excess > 0:
            del self._rows[:excess]
            self.state.dropped += excess
        self.state.held = len(self._rows)

    def _flush(self, source: sources.Source | None) -> None:
        """Rows to disk, then settle with the broker; on failure keep both for the next time."""
        try:
            if self._rows:
                self.history.append_events(self._rows, source=self.state.source)  # type: ignore[arg-type]
        except HistoryError as error:
            if self.state.state != "cannot write":
                logger.error("%s", error)
            self._report("cannot write", str(error))
            return
        self._count()
        if source is not None:
            source.settle()
            self.state.state, self.state.reason = "recording", ""

    def _count(self) -> None:
        now = time.time()
        if self._rows:
            latest = max(row["at"] for row in self._rows)
            oldest = min(row["received"] for row in self._rows)
            self.state.last_event = latest.isoformat(timespec="milliseconds")
            self.state.lag_seconds = round(max(0.0, now - oldest.timestamp()), 3)
            self.state.last_flush = _now()
            self.state.events += len(self._rows)
        self._rates.append((time.monotonic(), len(self._rows)))
        while self._rates[0][0] < time.monotonic() - RATE_SECONDS:
            self._rates.popleft()
        self.state.events_per_second = round(sum(n for _, n in self._rates) / RATE_SECONDS, 1)
        self._rows = []
        self.state.held = 0

    def _put_aside(self, raw: Any, reason: str) -> None:
        self.state.malformed += 1
        try:
            self.history.append_aside(raw, reason=reason)
        except HistoryError as error:
            logger.warning("A malformed event is not kept: %s", error)

    def _sample(self) -> None:
        try:
            rows = self._depths.sample()
            at = datetime.now(UTC)
            self.history.append_depths([{**row, "at": at} for row in rows])
            self.state.depths = ""
        except (BrokerError, HistoryError) as error:
            self.state.depths = str(error)

    def _tidy(self) -> None:
        now = datetime.now(UTC)
        try:
            self.history.compact(now)
            if self.retain_days is not None:
                self.history.retain(days=self.retain_days, now=now)
        except HistoryError as error:
            logger.warning("Files were not merged: %s", error)

    def _repeat(self, stop: threading.Event, seconds: float, act: Callable[[], None]) -> None:
        while not stop.is_set():
            try:
                act()
            except Exception:  # a thread that dies in silence is worse than any error
                logger.exception("%s failed; it is tried again in %s s", act.__name__, seconds)
            stop.wait(seconds)

    def _report(self, state: str, reason: str) -> None:
        if state != self.state.state:
            logger.info("Recorder %s: %s%s", self.name, state, f" ({reason})" if reason else "")
        self.state.state, self.state.reason = state, reason
        self._write_state()

    def _write_state(self) -> None:
        self.state.updated = _now()
        path = self.history.root / f"recorder-{self.name}.json"
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(asdict(self.state), indent=1))
            part.rename(path)
        except OSError as error:
            logger.warning("%s cannot be written: %s", path, error.strerror or error)
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    @contextmanager
    def _lock(self, stop: threading.Event) -> Iterator[None]:
        """Hold the name; the kernel frees it when the process ends, however it ends."""
        handle: IO[str] | None = None
        path = self.history.root / f"recorder-{self.name}.lock"
        while handle is None and not stop.is_set():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                handle = path.open("a")
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HistoryError(
                    f"a recorder named {self.name} already writes into {self.history.root}; "
                    "stop it, or give this one another name"
                ) from None
            except OSError as error:
                self._report(
                    "cannot write", f"{path}: {error.strerror}; free space or make the folder writable"
                )
                stop.wait(min(LONGEST_PAUSE, 2.0))
        try:
            yield
        finally:
            if handle is not None:
                handle.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
