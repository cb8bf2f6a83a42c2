"""Celery events as flat rows: the Arrow schema, and how one event dictionary becomes one row.

An event comes from whoever can write to the broker, so nothing in it is trusted: a field of the wrong
type is treated as absent, a long text is cut, and what has no usable type, time or task id is refused
with :class:`MalformedEvent`, for the recorder to count and keep aside.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from zumolib.errors import InputError

MOMENT = pa.timestamp("us", tz="UTC")

SCHEMA = pa.schema(
    [
        ("type", pa.string()),  # task-sent, task-received, worker-heartbeat, …
        ("at", MOMENT),  # the sender's clock
        ("received", MOMENT),  # the clock of the broker or the recorder, whichever saw it first
        ("hostname", pa.string()),  # the sender: a worker's node name, or a producer's
        ("pid", pa.int64()),
        ("clock", pa.int64()),  # Celery's logical clock
        ("task_id", pa.string()),
        ("name", pa.string()),
        ("queue", pa.string()),
        ("exchange", pa.string()),
        ("routing_key", pa.string()),
        ("args", pa.string()),  # a representation, cut by Celery: no call can be rebuilt from it
        ("kwargs", pa.string()),
        ("retries", pa.int64()),
        ("eta", MOMENT),
        ("expires", MOMENT),
        ("runtime", pa.float64()),  # seconds, as the pool process measured them
        ("result", pa.string()),
        ("exception", pa.string()),
        ("traceback", pa.string()),
        ("parent_id", pa.string()),
        ("root_id", pa.string()),
        ("entry", pa.string()),  # the schedule's entry that fired, where the sender says so
        ("requeue", pa.bool_()),
        ("active", pa.int64()),
        ("processed", pa.int64()),
        ("load1", pa.float64()),
        ("freq", pa.float64()),  # seconds between heartbeats
        ("sw_ver", pa.string()),
        ("extra", pa.string()),  # JSON object of the fields above's strangers
    ]
)
"""One row an event; times are UTC, durations are seconds."""

# Celery cuts arguments at 1,024 characters and tracebacks run to a few thousand; whoever sends more is
# careless or hostile, and one such event must not weigh as much as ten thousand others.
TEXT_LIMIT = 20_000
NAME_LIMIT = 500
EXTRA_LIMIT = 4_000

# A task id is also a file name, a key and a table cell elsewhere; Celery's own are 36 characters.
ID_LIMIT = 255

# A sender's clock may be off, but a time further ahead than this would make day folders that no
# retention reaches.
FUTURE_LIMIT = timedelta(days=1)
PAST_LIMIT = datetime(2015, 1, 1, tzinfo=UTC)

_TEXTS = frozenset({"args", "kwargs", "result", "exception", "traceback"})
_NAMES = frozenset({"name", "queue", "exchange", "routing_key", "parent_id", "root_id", "entry", "sw_ver"})
_INTEGERS = frozenset({"pid", "clock", "retries", "active", "processed"})
_REALS = frozenset({"runtime", "freq"})
_MOMENTS = frozenset({"eta", "expires"})
_EMPTY = dict.fromkeys(SCHEMA.names)
_KNOWN = _TEXTS | _NAMES | _INTEGERS | _REALS | _MOMENTS
_HANDLED = frozenset(
    {"type", "timestamp", "hostname", "uuid", "loadavg", "requeue", "utcoffset", "local_received"}
)


class MalformedEvent(InputError):
    """An event has no usable type, time or task id."""


def row(event: Mapping[str, Any], received: float) -> dict[str, Any]:
    """Turn one Celery event into one row of :data:`SCHEMA`.

    Parameters
    ----------
    event
        The decoded event, as :class:`celery.events.EventDispatcher` sends it.
    received
        When the broker or the recorder got it, in seconds since 1970 (UTC).

    Returns
    -------
    dict
        Every column of the schema; what the event does not say is None.

    Raises
    ------
    MalformedEvent
        No usable type, time or task id; the message says which.

    Notes
    -----
    ``timestamp`` is seconds since 1970 whatever the sender's zone, so ``utcoffset`` changes nothing.
    """
    if not isinstance(event, Mapping):
        raise MalformedEvent(f"an event is an object, not {type(event).__name__}")
    kind = event.get("type")
    if not isinstance(kind, str) or not kind or len(kind) > NAME_LIMIT:
        raise MalformedEvent(f"no usable type: {_short(kind)!r}")
    seen = moment(received)
    at = moment(event.get("timestamp"))
    if seen is None:
        raise MalformedEvent(f"received at no moment in time: {received!r}")
    if at is None or not PAST_LIMIT <= at <= seen + FUTURE_LIMIT:
        raise MalformedEvent(f"no usable timestamp: {_short(event.get('timestamp'))!r}")

    out: dict[str, Any] = dict(_EMPTY)
    out.update(
        type=_text(kind, NAME_LIMIT), at=at, received=seen, hostname=_text(event.get("hostname"), NAME_LIMIT)
    )
    strangers = {}
    for key, value in event.items():
        if value is None:
            continue
        if key in _NAMES:
            out[key] = _text(value, NAME_LIMIT)
        elif key in _TEXTS:
            out[key] = _text(value if isinstance(value, str) else repr(value), TEXT_LIMIT)
        elif key in _INTEGERS:
            out[key] = _integer(value)
        elif key in _REALS:
            out[key] = _real(value)
        elif key in _MOMENTS:
            out[key] = moment(value)
        elif key not in _HANDLED:
            strangers[key] = value
    if isinstance(event.get("requeue"), bool):
        out["requeue"] = event["requeue"]
    load = event.get("loadavg")
    if isinstance(load, list | tuple) and load:
        out["load1"] = _real(load[0])
    if kind.startswith("task-"):
        task_id = event.get("uuid")
        if not isinstance(task_id, str) or not task_id or len(task_id) > ID_LIMIT:
            raise MalformedEvent(f"no usable task id: {_short(task_id)!r}")
        out["task_id"] = _text(task_id, ID_LIMIT)
    if strangers:
        out["extra"] = _extra(strangers)
    return out


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as an Arrow table of :data:`SCHEMA`."""
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _short(value: Any) -> str:
    """What a field holds, for a message; a container is named and not written out."""
    if isinstance(value, str | int | float | None) and not (isinstance(value, int) and abs(value) > 1e30):
        return str(value)[:80]
    return f"({type(value).__name__})"


def _text(value: Any, limit: int) -> str | None:
    if not isinstance(value, str):
        return None
    if len(value) > limit:
        value = value[: limit - 1] + "…"
    # JSON can spell half of a surrogate pair, which no UTF-8 file can hold.
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _integer(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        return None
    return value


def _real(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def moment(value: Any) -> datetime | None:
    """A UTC moment from seconds since 1970 or an ISO 8601 text (one without a zone is UTC)."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        seconds = _real(value)
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _extra(strangers: dict[str, Any]) -> str:
    try:
        text = json.dumps(strangers, default=repr, sort_keys=True)  # plain ASCII, so it always encodes
    except (TypeError, ValueError, RecursionError):
        text = json.dumps({"unreadable": sorted(str(key)[:80] for key in strangers)[:20]})
    if len(text) > EXTRA_LIMIT:
        names = [str(key)[:80] for key in list(strangers)[:20]]
        text = json.dumps({"too_long": len(text), "fields": names})
    return text
