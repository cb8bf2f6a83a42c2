"""A generated history of task records, settled as a recorder's background work leaves them.

The same at every run. The tasks are as uneven as real ones: 100 names, of which the first makes a fifth of
all records and the last a thirtieth as many; 8 queues, 20 workers, 3 % failures, 3 % retried, waits and run
times from exponential distributions whose means differ forty-fold between names.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import exp
from pathlib import Path

from zumolib.history import History, manifest, queries
from zumolib.history.output import Output

END = datetime(2026, 11, 18, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES, WORKERS = 100, 20
QUEUES = ("notifications", "emails", "default", "analytics", "ats", "payments", "hr", "celery")
MODULES = ("messages.send", "mail.deliver", "core.tidy", "reports.count", "ats.match", "finance.charge")

_TRACEBACK = "Traceback (most recent call last):" + 12 * '\\n  File "celery/app/trace.py", line 585, in trace'


def _each(count: int, of: Callable[[int], str | int]) -> str:
    """A list of SQL constants, one for each number: looking it up keeps the order of rows, a join does not."""
    return (
        "["
        + ", ".join(f"'{one}'" if isinstance(one, str) else str(one) for one in map(of, range(count)))
        + "]"
    )


# By task and by worker; SQL counts from 1.
_NAME = _each(NAMES, lambda k: f"{MODULES[k % len(MODULES)]}.task_{k:02}")
_QUEUE = _each(NAMES, lambda k: QUEUES[k % len(QUEUES)])
_ENTRY = _each(NAMES, lambda k: f"entry-{k}" if k % 3 == 0 else "")
_WAIT = _each(NAMES, lambda k: round(1e6 * exp(-4 + k % 7 * 0.6)))  # microseconds, on average
_RUN = _each(NAMES, lambda k: round(1e6 * exp(-3 + k % 11 * 0.35)))
_WORKER = _each(WORKERS, lambda w: f"worker-{w:02}@host-{w % 5}")

_RECORDS = f"""
WITH drawn AS (
    SELECT i,
           make_timestamptz({{begin}} + ((i - {{first}}) * 86400000000) // {{count}}) AS finished,
           1 + ({NAMES} * pow(hash(i, 1) / 18446744073709551616.0, 3))::BIGINT % {NAMES} AS k,
           1 + ({WORKERS} * pow(hash(i, 2) / 18446744073709551616.0, 2))::BIGINT % {WORKERS} AS w,
           -ln(1.0000001 - hash(i, 3) / 18446744073709551616.0) AS wait,
           -ln(1.0000001 - hash(i, 4) / 18446744073709551616.0) AS run,
           hash(i, 5) % 1000 AS fate, hash(i, 6) % 100 AS luck
    FROM range({{first}}, {{first}} + {{count}}) AS drawn(i)
),
timed AS (
    SELECT *, finished - to_microseconds((run * {_RUN}[k])::BIGINT + 1000) AS started,
           to_microseconds((wait * {_WAIT}[k])::BIGINT + 2000) AS waited, {_WORKER}[w] AS worker
    FROM drawn
)
SELECT
    md5(i::VARCHAR) AS task_id, {_NAME}[k] AS name, {_QUEUE}[k] AS queue, worker,
    CASE WHEN fate < 30 THEN 'FAILURE' WHEN fate < 34 THEN 'REVOKED' ELSE 'SUCCESS' END AS state,
    started - waited AS sent,
    NULL::TIMESTAMPTZ AS eta, NULL::TIMESTAMPTZ AS expires,
    started - waited + to_microseconds(1000) AS received,
    started, finished,
    epoch_us(waited) / 1e6 AS queue_wait,
    (epoch_us(finished) - epoch_us(started)) / 1e6 AS run_time,
    CASE WHEN luck < 3 THEN 1 ELSE 0 END AS retries,
    CASE WHEN fate < 30 THEN ['ValueError', 'TimeoutError', 'ConnectionError'][1 + k % 3] || '(' || k || ')' END
        AS exception,
    CASE WHEN fate < 30 THEN E'{_TRACEBACK}' END AS traceback,
    '(' || i % 1000 || ',)' AS args, '{{{{}}}}' AS kwargs,
    NULL::VARCHAR AS parent_id, md5(i::VARCHAR) AS root_id, nullif({_ENTRY}[k], '') AS entry,
    NULL::TIMESTAMPTZ AS more_queue_at, NULL::TIMESTAMPTZ AS more_args_at, NULL::TIMESTAMPTZ AS more_kwargs_at,
    NULL::STRUCT(moment TIMESTAMPTZ, worker VARCHAR)[] AS more_starts,
    NULL::STRUCT(moment TIMESTAMPTZ, worker VARCHAR) AS more_retried,
    struct_pack(moment := started, rank := 2, state := 'STARTED', worker := worker, exception := NULL::VARCHAR,
                traceback := NULL::VARCHAR, requeue := false) AS more_latest
FROM timed
"""


def select(day: datetime, count: int) -> str:
    """The records of a day as a SELECT, in order of their end."""
    number = (day - datetime(2020, 1, 1, tzinfo=UTC)) // DAY
    begin = (day - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return _RECORDS.format(begin=begin, first=number * 100_000_000, count=count)


def make(folder: Path, records: int, days: int) -> History:
    """A history in `folder` of so many records over the days that end with :data:`END`."""
    history = History(folder)
    with queries.connect() as connection, Output(history.place, connection, END) as output:
        for number in range(days):
            day = END - (days - number) * DAY
            count = records * (number + 1) // days - records * number // days
            output.write("tasks", str(day.date()), select(day, count))
        state = manifest.newest(history.place).after(
            END, add=output.segments, events=4 * records, source="stream"
        )
        if not output.commit(state):
            raise RuntimeError(f"{folder} is in use by another process")
    return history
