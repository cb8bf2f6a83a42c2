"""The recorder: takes events from the broker, puts them on disk, and only then lets go of them.

It runs until it is stopped. A broker that is down is waited for; a disk that is full or read-only is
tried again while the broker keeps the events; what is no event is counted and kept aside. Several
recorders may write into one folder under different names.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
from celery import Celery

from zumolib.conf import hide
from zumolib.errors import BrokerError, HistoryError, InputError
from zumolib.history import History
from zumolib.inspection.queues import Depths
from zumolib.masking import KEYS, Hidden
from zumolib.recorder import lock, sources
from zumolib.recorder.buffer import Held
from zumolib.recorder.columns import Message, Refused
from zumolib.recorder.sources.clock import Clock
from zumolib.recorder.state import State, StateFile, now

logger = logging.getLogger(__name__)

COMPACT_SECONDS = 15.0
LOCK_SECONDS = 2.0  # between two attempts to make the folder
WAITING_SECONDS = 5.0  # between two questions for the number of events that wait at the broker
RATE_SECONDS = 10.0  # events a second are the mean of this long
CLOCK_SECONDS = 5.0  # a clock that was set back by less is not worth a word
MUCH, LULL = 2_000, 0.05  # events that are worth a file of their own once none came for so many seconds
LOGIN = re.compile(r"(?i)auth|access_?refused|login|password|WRONGPASS|NOPERM|not_allowed|vhost")
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 15.0  # seconds between two attempts to connect

JOIN_SECONDS = 2.0  # in which its threads may end their work once it is to stop
END_SECONDS = 4.5  # after which a recorder that was told to stop ends, whatever it is at

# Rows held with pub/sub while the disk refuses them; then the oldest are dropped and counted. Other
# sources take no more than their prefetch, and the broker keeps the rest.
HELD_ROWS = 50_000


def stop_on_signals(stop: threading.Event) -> None:
    """Let SIGTERM and SIGINT set `stop`, and end the process where it does not end by itself soon.

    Nothing is lost by that: what is on disk is whole, and what is not was not settled with the broker.
    """

    def end(number: int, _frame: object) -> None:
        if not stop.is_set():
            stop.set()
            timer = threading.Timer(END_SECONDS, os._exit, (0,))
            timer.daemon = True
            timer.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


def describe(app: Celery, error: BaseException) -> str:
    """What keeps a recorder from its broker, with the remedy and without a password."""
    place = hide(app.conf.broker_read_url or app.conf.broker_url)
    said = hide(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
    if LOGIN.search(f"{type(error).__name__} {said}"):
        return f"{place} refuses user, password or virtual host: {said}; correct the broker's address; it is tried again"
    return f"{place} does not answer: {said}; start the broker or correct its address; it is tried again"


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
    retain_gb
        Delete the oldest days beyond this size, in 10⁹ bytes; None for no limit. It needs `retain_days`.
    management_url
        RabbitMQ's management API, for unacked messages and rates.
    masked_keys
        Values under them are hidden before an event is stored; see :mod:`zumolib.masking`.
    masked_arguments
        Which positional arguments are hidden as well, by the name of the task; see
        :func:`zumolib.inspection.signatures.hidden_arguments`.
    clock
        Tells when messages came.

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
        retain_gb: float | None = None,
        management_url: str = "",
        masked_keys: Sequence[str] = KEYS,
        masked_arguments: Mapping[str, Hidden] | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not re.fullmatch(r"[\w.@-]{1,100}", name):
            raise InputError(f"name={name!r}: is part of a file name; use letters, digits, dots and dashes")
        self.app = app
        self.history = history
        self.interval = interval
        self.depth_interval = depth_interval
        self.name = name
        self.retain_days = retain_days
        self.retain_gb = retain_gb
        self.state = State(name, os.getpid(), started=now())
        self._file = StateFile(history.root, name)
        self._clock = clock or Clock()
        self._depths = Depths(app, management_url=management_url)
        self._held = Held(masked_keys, masked_arguments)
        self._rates: deque[tuple[float, int]] = deque()
        self._errors = sources.errors(app)

    def run(self, stop: threading.Event) -> None:
        """Record until `stop` is set.

        Raises
        ------
        HistoryError
            Another recorder of this name writes into this folder.
        """
        with ExitStack() as stack:
            self._hold_name(stop, stack)
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
                    self._lose("broker down", describe(self.app, error))
                except Exception as error:
                    logger.exception("Recorder %s failed; it connects again", self.name)
                    self._lose(
                        "failing",
                        f"{hide(f'{type(error).__name__}: {error}')}; its log says where; it goes on trying",
                    )
                if not stop.is_set():
                    pause = SHORTEST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else pause
                    stop.wait(pause)
                    pause = min(LONGEST_PAUSE, pause * 2)
            until = time.monotonic() + JOIN_SECONDS
            for thread in threads:  # what they had begun to write is swept by the next recorder
                thread.join(timeout=max(0.0, until - time.monotonic()))
            self._depths.close()
            self._report("stopped", "")

    def _record(self, stop: threading.Event) -> None:
        """Take and flush until the broker goes away, which raises, or `stop` is set."""
        source = sources.connect(self.app, self.name, self._clock)
        self.state.source = source.kind
        if source.capped:
            self.state.overflow = now()
            logger.warning("Recorder %s: the queue of events was full; the oldest were dropped", self.name)
        self._report("recording", "")
        flush_at = time.monotonic() + self.interval
        ask_at = 0.0
        try:
            while not stop.is_set():
                wait = min(self.interval, max(0.01, flush_at - time.monotonic()))
                much = self._held.rows >= MUCH
                found = source.take(min(wait, LULL) if much else wait)
                self._accept(source, found)
                early = source.full() or (much and not found)
                if time.monotonic() < flush_at and not (early and self.state.state == "recording"):
                    continue
                flush_at = time.monotonic() + self.interval
                self._flush(source)
                if time.monotonic() >= ask_at:
                    self.state.waiting = source.waiting()
                    ask_at = time.monotonic() + WAITING_SECONDS
                self._file.write(self.state)
            self._flush(source)
        finally:
            with contextlib.suppress(*self._errors):
                source.close()

    def _lose(self, state: str, reason: str) -> None:
        """The connection is gone: keep what is held, if the disk lets us."""
        self.state.reconnects += 1
        self._flush(None)
        if self.state.source != "pubsub":
            # Not settled, so the broker delivers them again.
            self._held.clear()
            self.state.held = self._held.rows
        self._report(state, reason)

    def _accept(self, source: sources.Source, messages: list[Message]) -> None:
        self._put_aside(self._held.add(messages))
        if source.kind == "pubsub":
            self._put_aside(self._held.convert())
            self.state.dropped += self._held.drop(self._held.rows - HELD_ROWS)
        self.state.held = self._held.rows
        self.state.dropped += source.lost
        source.lost = 0

    def _flush(self, source: sources.Source | None) -> None:
        """Events to disk, then settle with the broker; on failure keep both for the next time."""
        self._put_aside(self._held.convert())
        table = self._held.table()
        try:
            if table is not None:
                self.history.append_events(table, source=self.state.source)  # type: ignore[arg-type]
        except HistoryError as error:
            if self.state.state != "cannot write":
                logger.error("%s", error)
            self._report("cannot write", str(error))
            return
        self._count(table)
        if source is not None:
            source.settle()
            self.state.state, self.state.reason = "recording", ""
            if self._clock.behind > CLOCK_SECONDS:
                self.state.reason = (
                    f"this machine's clock was set back by {self._clock.behind:,.0f} s; until it has caught up, "
                    "times of arrival stand still: set it right and start the recorder anew"
                )

    def _count(self, table: pa.Table | None) -> None:
        rows = 0 if table is None else table.num_rows
        if table is not None:
            self.state.last_event = pc.max(table["at"]).as_py().isoformat(timespec="milliseconds")
            oldest = pc.min(table["received"]).as_py().timestamp()
            self.state.lag_seconds = round(max(0.0, time.time() - oldest), 3)
            self.state.last_flush = now()
            self.state.events += rows
        self._rates.append((time.monotonic(), rows))
        while self._rates[0][0] < time.monotonic() - RATE_SECONDS:
            self._rates.popleft()
        self.state.events_per_second = round(sum(n for _, n in self._rates) / RATE_SECONDS, 1)
        self.state.clock_behind = round(self._clock.behind, 3)
        self._held.clear()
        self.state.held = 0

    def _put_aside(self, refused: list[Refused]) -> None:
        self.state.malformed += len(refused)
        if not refused:
            return
        try:
            self.history.append_aside(refused)
        except HistoryError as error:
            logger.warning("%d malformed events are not kept: %s", len(refused), error)

    def _sample(self) -> None:
        try:
            rows = self._depths.sample()
            at = datetime.now(UTC)
            self.history.append_depths([{**row, "at": at} for row in rows])
            self.state.depths = ""
        except (BrokerError, HistoryError) as error:
            self.state.depths = str(error)

    def _tidy(self) -> None:
        at = datetime.now(UTC)
        try:
            self.history.compact(at)
            if self.retain_days is not None:
                self.history.retain(days=self.retain_days, gigabytes=self.retain_gb, now=at)
            self.state.files = ""
            pa.default_memory_pool().release_unused()
        except HistoryError as error:
            if not self.state.files:
                logger.warning("Files were not merged: %s", error)
            self.state.files = str(error)

    def _repeat(self, stop: threading.Event, seconds: float, act: Callable[[], None]) -> None:
        while not stop.is_set():
            try:
                act()
            except Exception:  # a thread that dies in silence is worse than any error
                logger.exception("%s failed; it is tried again in %s s", act.__name__, seconds)
            stop.wait(seconds)

    def _report(self, state: str, reason: str) -> None:
        if (state, reason) != (self.state.state, self.state.reason):
            level = logging.INFO if state in ("recording", "stopped") else logging.WARNING
            logger.log(level, "Recorder %s: %s%s", self.name, state, f" ({reason})" if reason else "")
        self.state.state, self.state.reason = state, reason
        self._file.write(self.state)

    def _hold_name(self, stop: threading.Event, stack: ExitStack) -> None:
        """Hold the name until the stack unwinds; waits for a folder that cannot be written."""
        while not stop.is_set():
            try:
                stack.enter_context(lock.hold(self.history.root, self.name))
                return
            except OSError as error:
                reason = f"{self.history.root}: {error.strerror}; free space or make the folder writable"
                self._report("cannot write", reason)
                stop.wait(LOCK_SECONDS)
