"""Send every entry's task once through the broker, as beat would, and see what each does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from zumolib.conf import permission
from zumolib.control import sending
from zumolib.database import orm
from zumolib.errors import BrokerError, ScheduleError
from zumolib.inspection import remote
from zumolib.platform import installation

if TYPE_CHECKING:
    from celery import Celery
    from celery.result import AsyncResult

HELD = "HELD"  # by its rate limit; the task will run, but not soon
BAD = "BAD"  # the row can be neither scheduled nor sent; beat leaves it out as well
POLL = 0.1  # seconds between looks at the results
LOOK_AT_LIMITS = 1.0  # seconds between questions to the workers


@dataclass(frozen=True)
class Outcome:
    """What became of one entry's task."""

    entry: str
    task: str
    queue: str
    state: str  # a state of Celery's, HELD or BAD
    seconds: float | None  # from sending to the result; None while there is none
    summary: str  # what the task returned, its error, or until when it is held


def run(app: Celery, *, timeout: float, progress: Callable[[int, int], None]) -> list[Outcome]:
    """Send all enabled entries and wait until each has ended or is held by its rate limit.

    Parameters
    ----------
    timeout : float
        Seconds after which the rest is given up.
    progress : callable
        Called with how many are done, and of how many.

    Raises
    ------
    ReadOnly
        When actions are not wanted.
    ScheduleError
        When no entry is installed.
    BrokerError
        When nothing can be sent, and when the broker or the result backend is lost meanwhile: what was
        sent is done all the same.
    """
    permission.check()
    enabled = [row for row in installation.rows(app) if row["enabled"]]
    rows = [row for row in enabled if not row["problem"]]
    if not rows:
        raise ScheduleError("no entry is installed and enabled; `zumo schedule install` puts them there")
    sent = {row["name"]: send(app, row) for row in rows}
    began = time.monotonic()
    done: dict[str, float] = {}
    held: dict[str, datetime] = {}
    looked = began
    while len(done) + len(held) < len(rows) and time.monotonic() - began < timeout:
        with sending.backend_errors(app):
            for name, result in sent.items():
                if name not in done and result.ready():
                    done[name] = time.monotonic() - began
        if time.monotonic() - looked > LOOK_AT_LIMITS:
            looked = time.monotonic()
            until = held_until(app)
            held = {n: until[r.id] for n, r in sent.items() if n not in done and r.id in until}
        progress(len(done) + len(held), len(rows))
        time.sleep(POLL)
    with sending.backend_errors(app):
        return [
            Outcome(row["name"], row["task"], row["queue"], BAD, None, row["problem"])
            if row["problem"]
            else _outcome(row, sent[row["name"]], done.get(row["name"]), held.get(row["name"]))
            for row in enabled
        ]


def send(app: Celery, row: dict[str, Any]) -> AsyncResult:
    """Send the task of one row of :func:`zumolib.platform.installation.rows`, with the header that beat gives it.

    Raises
    ------
    BrokerError
        When the broker does not take it.
    """
    from kombu.exceptions import OperationalError

    orm.ready()
    try:
        return app.send_task(
            row["task"],
            kwargs=row["kwargs"],
            queue=row["queue"],
            headers={"periodic_task_name": row["name"]},
        )
    except OperationalError as error:
        raise BrokerError(
            f"{row['name']} cannot be sent, the broker does not answer ({error}); "
            "`zumo status` shows the embedded one, `zumo conf` shows where CELERY_BROKER_URL points"
        ) from None


def held_until(app: Celery) -> dict[str, datetime]:
    """Tasks that workers hold back because of a rate limit, by id, with the time at which they may run.

    Raises
    ------
    BrokerError
        The broker does not answer.
    """
    now = datetime.now(UTC)
    found: dict[str, datetime] = {}
    for limits in remote.ask(app, {"rate_limited": {}}, timeout=0.5)["rate_limited"].values():
        for held in limits.values() if "error" not in limits else ():
            for position, task_id in enumerate(held["ids"]):
                wait = held["seconds"] + position * held["every"]
                found[task_id] = now + timedelta(seconds=wait)
    return found


def _outcome(
    row: dict[str, Any], result: AsyncResult, seconds: float | None, held: datetime | None
) -> Outcome:
    state = HELD if seconds is None and held else str(result.state)
    if held and state == HELD:
        summary = f"held by its rate limit until {held:%Y-%m-%d %H:%M} UTC"
    elif seconds is None:
        summary = "did not end in time"
    else:
        summary = _text(result.result)
    return Outcome(
        row["name"], row["task"], row["queue"], state, None if seconds is None else round(seconds, 3), summary
    )


def _text(result: Any) -> str:
    if isinstance(result, BaseException):
        return f"{type(result).__name__}: {result}"
    if isinstance(result, dict):
        return ", ".join(f"{key} {json.dumps(value, default=str)}" for key, value in result.items())
    return str(result)
