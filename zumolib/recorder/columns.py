"""Event messages as Arrow columns: what :func:`zumolib.history.events.row` says of one event, for thousands at once.

Nearly all events have one of a dozen shapes, a shape being the names of the fields in their order. Events
of one shape are turned column by column, without Python code for each of them. A shape or a value that is
not plainly what Celery sends goes the slow way, through :func:`zumolib.history.events.row` itself, so both ways
give the same rows: how much is odd decides the speed and nothing else.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from kombu.utils.json import loads

from zumolib.history import events
from zumolib.recorder import intake

# Below this many, columns cost more than rows.
FEW = 8

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PAST = (events.PAST_LIMIT - _EPOCH) // _MICROSECOND
_FUTURE = events.FUTURE_LIMIT // _MICROSECOND

_NAMES = ("hostname", "name", "queue", "exchange", "routing_key", "parent_id", "root_id", "entry", "sw_ver")
_TEXTS = ("args", "kwargs", "result", "exception", "traceback")
_INTEGERS = ("pid", "clock", "retries", "active", "processed")
_REALS = ("runtime", "freq")
_MOMENTS = ("eta", "expires")
_UNUSED = ("utcoffset", "local_received")
_PLAIN = frozenset({"type", "timestamp", "uuid", *_NAMES, *_TEXTS, *_INTEGERS, *_REALS, *_MOMENTS, *_UNUSED})
_NEEDED = frozenset({"type", "timestamp", "uuid"})


class Message(NamedTuple):
    """One message of the broker: an event, or a list of them, or what is neither."""

    body: bytes
    received: float  # seconds since 1970, by the broker's clock where it gives one
    decode: Callable[[], Any] | None = None  # for what is not JSON in UTF-8


class Refused(NamedTuple):
    """What is not an event, or more than is taken in."""

    raw: str  # its beginning
    reason: str


@dataclass(frozen=True)
class Found:
    """What some messages hold."""

    table: pa.Table  # of events.SCHEMA, in no particular order
    refused: list[Refused]


class _Odd(Exception):
    """Some event of a group is not plain."""


def find(messages: Sequence[Message]) -> Found:
    """Turn messages into columns.

    Parameters
    ----------
    messages
        As a source gave them. A few thousand at a time keep the memory small.

    Returns
    -------
    Found
        A row for each event, as :func:`zumolib.history.events.row` gives it, and what is no event. A message that
        cannot be decoded is refused as a whole, an event that cannot be used alone.
    """
    shapes: dict[tuple[str, ...], tuple[list[dict[str, Any]], list[int]]] = {}
    firsts: list[int] = []  # number of each message's first event
    odd: list[int] = []  # numbers of the events that go the slow way
    slow = _Slow(messages, firsts)
    number = 0
    decode = orjson.loads
    for which, message in enumerate(messages):
        firsts.append(number)
        if len(message.body) > intake.MESSAGE_BYTES:
            body = slow.whole(which)
        else:
            try:
                body = slow.whole(which) if message.decode else decode(message.body)
            except orjson.JSONDecodeError:
                body = slow.whole(which)
        if type(body) is list and len(body) > intake.BATCH:
            slow.refuse(which, f"a message of {len(body):,} events; at most {intake.BATCH:,} are read")
            body = []
        for event in body if type(body) is list else (body,):
            if type(event) is dict:
                shape = tuple(event)
                group = shapes.get(shape)
                if group is None:
                    group = shapes[shape] = ([], [])
                group[0].append(event)
                group[1].append(number)
            else:
                odd.append(number)
            number += 1
    received = np.repeat([message.received for message in messages], np.diff([*firsts, number]))
    tables: list[pa.Table] = []
    for shape, (group_events, numbers) in shapes.items():
        if _NEEDED.issubset(shape) and _PLAIN.issuperset(shape):
            odd += _split(shape, group_events, numbers, received, tables)
        else:
            odd += numbers
    for number in sorted(odd):
        slow.one(number)
    if slow.rows or not tables:
        tables.append(events.table(slow.rows))
    return Found(pa.concat_tables(tables), slow.refused)


def _split(
    shape: tuple[str, ...],
    group: Sequence[dict[str, Any]],
    numbers: list[int],
    received: np.ndarray,
    tables: list[pa.Table],
) -> list[int]:
    """Add the group's table; where something is odd in it, those of its sound parts.

    Returns the numbers of what is left: halving finds one odd event among thousands in a dozen steps.
    """
    if len(group) < FEW:
        return numbers
    try:
        tables.append(_table(shape, group, received[numbers]))
    except (_Odd, pa.ArrowException, TypeError, OverflowError):
        half = len(group) // 2
        return _split(shape, group[:half], numbers[:half], received, tables) + _split(
            shape, group[half:], numbers[half:], received, tables
        )
    return []


def _table(shape: tuple[str, ...], group: Sequence[dict[str, Any]], received: np.ndarray) -> pa.Table:
    """Columns of events that all have the same plain fields, or raise."""
    values = dict(zip(shape, zip(*map(dict.values, group), strict=True), strict=True))
    kinds = set(values["type"])
    if not all(type(kind) is str and kind.startswith("task-") for kind in kinds):
        raise _Odd
    seen, at = _moments(received), _moments(_numbers(values["timestamp"], (float, int)))
    if (at < _PAST).any() or (at > seen + _FUTURE).any():
        raise _Odd
    found: dict[str, pa.Array] = {
        "type": _texts(values["type"], events.NAME_LIMIT),
        "task_id": _texts(values["uuid"], events.ID_LIMIT),
        "at": pa.array(at, events.MOMENT),
        "received": pa.array(seen, events.MOMENT),
    }
    ids = found["task_id"]
    if ids.null_count or not pc.min(pc.binary_length(ids)).as_py():
        raise _Odd
    for name in shape:
        column = values[name]
        if name in _NAMES:
            found[name] = _texts(column, events.NAME_LIMIT)
        elif name in _TEXTS:
            found[name] = _texts(column, events.TEXT_LIMIT)
        elif name in _INTEGERS:
            found[name] = pa.array(_numbers(column, (int, NoneType)), pa.int64())
        elif name in _REALS:
            found[name] = _reals(column)
        elif name in _MOMENTS:
            _numbers(column, (str, float, int, NoneType))
            found[name] = pa.array([None if v is None else events.moment(v) for v in column], events.MOMENT)
        elif name in _UNUSED:
            _numbers(column, (str, float, int, NoneType))
    columns = [found[f.name] if f.name in found else pa.nulls(len(group), f.type) for f in events.SCHEMA]
    return pa.Table.from_arrays(columns, schema=events.SCHEMA)


def _texts(values: Sequence[Any], limit: int) -> pa.Array:
    texts = pa.array(values, pa.string())  # raises for anything else
    if texts.null_count < len(texts) and pc.max(pc.binary_length(texts)).as_py() > limit:
        raise _Odd
    return texts


def _numbers(values: Sequence[Any], types: tuple[type, ...]) -> Sequence[Any]:
    # bool is an int for isinstance() and for Arrow, and none here.
    if not set(map(type, values)).issubset(types):
        raise _Odd
    return values


def _reals(values: Sequence[Any]) -> pa.Array:
    reals = pa.array(_numbers(values, (float, int, NoneType)), pa.float64())
    if reals.null_count < len(reals) and not pc.all(pc.is_finite(reals)).as_py():
        raise _Odd
    return reals


def _moments(seconds: Sequence[float] | np.ndarray) -> np.ndarray:
    """Microseconds since 1970, rounded as ``datetime.fromtimestamp`` does it: half to even."""
    exact = np.asarray(seconds, dtype=np.float64)
    if not (np.abs(exact) < 1e11).all():  # nor NaN; further away than any date that is taken
        raise _Odd
    fraction, whole = np.modf(exact)
    return whole.astype(np.int64) * 1_000_000 + np.rint(fraction * 1e6).astype(np.int64)


class _Slow:
    """Rows by the reference, decoded by the reference: the fast JSON makes a float of a huge integer."""

    def __init__(self, messages: Sequence[Message], firsts: list[int]) -> None:
        self.rows: list[dict[str, Any]] = []
        self.refused: list[Refused] = []
        self._messages = messages
        self._firsts = firsts
        self._decoded: tuple[int, list[Any]] = (-1, [])

    def whole(self, which: int) -> list[Any]:
        """All events of a message that the fast JSON cannot read; nothing is left to do for it."""
        for event in self._decode(which):
            self._row(event, self._messages[which].received)
        return []

    def one(self, number: int) -> None:
        """The event of this number."""
        which = bisect_right(self._firsts, number) - 1
        if self._decoded[0] != which:
            self._decoded = (which, self._decode(which))
        found = self._decoded[1]
        if found:
            self._row(found[number - self._firsts[which]], self._messages[which].received)

    def _decode(self, which: int) -> list[Any]:
        message = self._messages[which]
        try:
            intake.check_size(message.body)
            body = loads(message.body) if message.decode is None else message.decode()
        except intake.TooMuch as error:
            self.refuse(which, str(error))
            return []
        except Exception as error:  # noqa: BLE001 - the sender chooses the decoder, which may raise anything
            self.refuse(which, f"cannot be decoded: {type(error).__name__}: {str(error)[:200]}")
            return []
        found = body if isinstance(body, list) else [body]
        if len(found) > intake.BATCH:
            self.refuse(which, f"a message of {len(found):,} events; at most {intake.BATCH:,} are read")
            return []
        return found

    def refuse(self, which: int, reason: str) -> None:
        """Set a message aside as a whole."""
        self.refused.append(Refused(intake.excerpt(self._messages[which].body), reason))

    def _row(self, event: Any, received: float) -> None:
        try:
            intake.check_event(event)
            self.rows.append(events.row(event, received))
        except (events.MalformedEvent, intake.TooMuch) as error:
            self.refused.append(Refused(intake.excerpt(event), str(error)))
