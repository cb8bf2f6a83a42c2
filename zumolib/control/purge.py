"""Purge a queue: what waits in it is thrown away."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import pandas as pd

from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.errors import InputError
from zumolib.inspection import messages
from zumolib.inspection.connection import CONNECT_SECONDS, broker_errors
from zumolib.inspection.queues import depths
from zumolib.receipts.observation import Observation

if TYPE_CHECKING:
    from celery import Celery

COLUMNS = {"queue": "str", "task": "str", "count": "int64"}
UNREAD = "(not readable)"
UNTIL_SENT = "until the next message comes"
MOST_READ = 100_000  # messages whose names are read
CAVEATS = (
    "what is thrown away is gone; its results stay PENDING for ever",
    "what workers have taken already, and what waits for its time with them, is not purged",
    "what arrives between this preview and the purge goes too",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Purge(Plan):
    """A purge of one queue."""

    action = "purge"
    no_way_back = "what was purged is gone; call those tasks again where they are wanted"

    queue: str
    expected: int  # messages when it was planned

    def carry_out(self, run: Run) -> None:
        """Purge it, once."""
        transport = self.app.connection_for_write().get_transport_cls()
        broken_by = (*transport.connection_errors, *transport.channel_errors)
        with (
            broker_errors(self.app, broken_by),
            self.app.connection_for_write(connect_timeout=CONNECT_SECONDS) as connection,
        ):
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
            count = int(self.app.amqp.queues[self.queue](connection.default_channel).purge() or 0)
        run.total = 1
        run.after["purged"] = count
        run.step(self.queue, f"{count:,} messages purged")
        if count != self.expected:
            run.notes.append(f"{self.expected:,} were there when it was planned")

    def verify(self, run: Run) -> Observation:
        """The broker counts none. Where messages arrive all the time that cannot be seen."""
        ready = depths(self.app).set_index("queue")["ready"].get(self.queue)
        run.after["ready"] = None if pd.isna(ready) else int(ready)
        count = run.after["purged"]
        purged = f"the broker counted {count:,} {'message' if count == 1 else 'messages'} as purged"
        if pd.isna(ready):
            return Observation.of(None, f"{purged}, and does not tell how many are in the queue now")
        if ready == 0:
            return Observation.of(True, f"{purged}, and the queue is empty", lasting=UNTIL_SENT)
        what = f"{purged}; {ready:,} are in the queue now, which may have come since"
        return Observation.of(None, what, lasting=UNTIL_SENT)


def plan(app: Celery, queue: str) -> Purge:
    """Plan to purge a queue; the preview counts what is in it by task name where that can be read.

    Raises
    ------
    InputError
        When there is no such queue.
    BrokerError
        The broker does not answer.
    """
    if queue not in app.amqp.queues:
        raise InputError(f"there is no queue {queue!r}; there are: {', '.join(app.amqp.queues)}")
    ready = depths(app).set_index("queue")["ready"].get(queue)
    expected = 0 if pd.isna(ready) else int(ready)
    counts: dict[str, int] = {}
    if messages.allowed(app):
        for lying in islice(messages.waiting(app, queue), MOST_READ):
            counts[lying.name] = counts.get(lying.name, 0) + 1
    # What is no task, was not read, or came in between.
    rest = expected - sum(counts.values())
    if rest > 0:
        counts[UNREAD] = rest
    rows = sorted(((queue, name, count) for name, count in counts.items()), key=lambda row: -row[2])
    expected = sum(counts.values())
    return Purge(
        app=app,
        target=queue,
        summary=f"purge {expected:,} messages from queue {queue}" if expected else f"queue {queue} is empty",
        preview=pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS),
        caveats=CAVEATS if messages.allowed(app) else (*CAVEATS, messages.NOT_ALLOWED),
        asked={"queue": queue},
        before={"ready": expected, "tasks": counts},
        queue=queue,
        expected=expected,
    )
