"""Columns are what rows would have been, whatever comes."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu.utils.json import loads

from zumolib.history import events
from zumolib.recorder import columns
from zumolib.recorder.columns import Message

RECEIVED = 1_763_294_400.25  # 2025-11-16 12:00 UTC
TIME = RECEIVED - 1.123456

SENT = {
    "type": "task-sent", "uuid": "a", "timestamp": TIME, "hostname": "gen@one", "utcoffset": 0, "pid": 7,
    "clock": 3, "name": "core.x", "args": "(1,)", "kwargs": "{}", "retries": 0, "eta": None, "expires": None,
    "queue": "default", "exchange": "", "routing_key": "default", "root_id": "a", "parent_id": None,
}  # fmt: skip
STARTED = {"type": "task-started", "uuid": "a", "timestamp": TIME, "hostname": "w@one", "pid": 7, "clock": 4}
ENDED = {**STARTED, "type": "task-succeeded", "result": "2", "runtime": 0.25}
BEAT = {
    "type": "worker-heartbeat", "timestamp": TIME, "hostname": "w@one", "pid": 7, "freq": 2.0, "active": 1,
    "processed": 9, "loadavg": [0.5, 0.4, 0.3], "sw_ident": "py-celery", "sw_ver": "5.7.0",
}  # fmt: skip


def reference(messages: list[Message]) -> tuple[Counter[Any], Counter[str]]:
    """Rows and reasons, one event after the other."""
    rows: list[dict[str, Any]] = []
    refused: Counter[str] = Counter()
    for message in messages:
        try:
            body = loads(message.body)
        except Exception as error:  # noqa: BLE001 - any failure is a refusal
            refused[f"cannot be decoded: {type(error).__name__}: {str(error)[:200]}"] += 1
            continue
        for event in body if isinstance(body, list) else [body]:
            try:
                rows.append(events.row(event, message.received))
            except events.MalformedEvent as error:
                refused[str(error)] += 1
    return counted(events.table(rows)), refused


def counted(table: pa.Table) -> Counter[Any]:
    return Counter(tuple(row.items()) for row in table.to_pylist())


def same(messages: list[Message]) -> columns.Found:
    found = columns.find(messages)
    found.table.validate(full=True)
    assert found.table.schema == events.SCHEMA
    rows, refused = reference(messages)
    assert counted(found.table) == rows
    assert Counter(reason for _, reason in found.refused) == refused
    return found


def message(*batch: object, alone: bool = False) -> Message:
    return Message(json.dumps(batch[0] if alone else list(batch)).encode(), RECEIVED)


def many(event: dict[str, Any], **fields: object) -> list[Message]:
    return [message({**event, "uuid": f"id-{n}", "timestamp": TIME + n / 7, **fields}) for n in range(50)]


def test_the_events_of_a_worker_take_the_fast_way(monkeypatch: pytest.MonkeyPatch):
    messages = many(SENT) + many(STARTED) + many(ENDED) + many(SENT, eta="2026-11-16T13:00:00+01:00")
    same(messages)

    def slow(event: object, received: float) -> dict[str, Any]:
        raise AssertionError(f"{event} went the slow way")

    monkeypatch.setattr(events, "row", slow)
    assert columns.find(messages).table.num_rows == 200


def test_heartbeats_and_strange_events_come_along():
    found = same([*many(SENT), *many(BEAT), *many(SENT, shoe_size=43), message(STARTED, alone=True)])
    assert found.table.num_rows == 151
    assert found.refused == []


def test_nothing_gives_an_empty_table():
    assert columns.find([]).table.num_rows == 0
    assert columns.find([message()]).table.num_rows == 0


# what one event among many may hold, that the others do not
ODD = [
    {"retries": True}, {"retries": 2**70}, {"retries": 2**63}, {"retries": 1.0}, {"retries": "1"},
    {"runtime": "long"}, {"runtime": 10**400}, {"runtime": float("nan")}, {"runtime": 2**60 + 1}, {"runtime": 1},
    {"name": 3}, {"name": "x" * 501}, {"name": "é" * 400}, {"name": "half \ud800 pair"}, {"name": ["a"]},
    {"args": [1, 2**70]}, {"args": "x" * 100_000}, {"args": {"__type__": "uuid", "__value__": {"hex": "0" * 32}}},
    {"uuid": None}, {"uuid": ""}, {"uuid": "x" * 256}, {"uuid": 5},
    {"timestamp": None}, {"timestamp": 0}, {"timestamp": "2025-11-16T11:00:00+00:00"}, {"timestamp": True},
    {"timestamp": int(TIME)}, {"timestamp": TIME + 3 * 86_400}, {"timestamp": 1e300}, {"timestamp": TIME + 5e-7},
    {"eta": "tomorrow"}, {"eta": TIME}, {"eta": {"in": 3}}, {"eta": {"__type__": "no", "__value__": 1}},
    {"type": "task-"}, {"type": "worker-heartbeat"}, {"type": ""}, {"type": 7}, {"type": "task-" + "x" * 500},
    {"requeue": True}, {"requeue": "yes"}, {"loadavg": [1]}, {"utcoffset": {"__type__": "no", "__value__": 1}},
    {"extra": "forged"}, {"at": 3}, {"received": 3}, {"task_id": "forged"}, {"load1": 3.0},
]  # fmt: skip


@pytest.mark.parametrize("fields", ODD, ids=str)
def test_one_odd_event_among_many_is_what_it_is_alone(fields: dict[str, object]):
    same([*many(SENT), message({**SENT, **fields}), *many(ENDED), message({**ENDED, **fields}), *many(ENDED)])


def test_what_cannot_be_decoded_is_refused_and_its_neighbours_are_not():
    broken = [
        b"{no json",
        b"",
        b"\xff\xfe",
        b'"text"',
        b"7",
        b"[" * 5_000,
        b'[{"type": NaN}]',
        b"[[]]",
        b"null",
    ]
    found = same([*many(SENT), *(Message(body, RECEIVED) for body in broken), *many(ENDED)])
    assert found.table.num_rows == 100
    assert len(found.refused) == len(broken)


def test_an_undecodable_event_takes_no_sibling_with_it_that_is_plain():
    bad = {**STARTED, "shoe": {"__type__": "no", "__value__": 1}}
    found = columns.find([*many(STARTED), message(STARTED, bad)])
    assert found.table.num_rows == 51
    assert [refused.raw for refused in found.refused] == [message(STARTED, bad).body.decode()]


def test_another_encoding_is_decoded_by_whoever_knows_it():
    found = columns.find(
        [Message(b"zip", RECEIVED, lambda: [SENT, STARTED]), Message(b"bad", RECEIVED, lambda: 1 / 0)]
    )
    assert found.table["type"].to_pylist() == ["task-sent", "task-started"]
    assert found.refused == [columns.Refused("bad", "cannot be decoded: ZeroDivisionError: division by zero")]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
    | st.sampled_from([TIME, int(TIME), TIME + 1e-7, "2026-11-16T13:00:00", 2**63, -(2**63), 2**64, -0.0, "x" * 600]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
FIELDS = [*SENT, *BEAT, *ENDED, "requeue", "exception", "traceback", "local_received", "x"]
EVENTS = st.builds(
    lambda base, fields, gone: {k: v for k, v in {**base, **fields}.items() if k not in gone},
    st.sampled_from([SENT, STARTED, ENDED, BEAT]),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3),
    st.sets(st.sampled_from(FIELDS), max_size=1),
)
BODIES = st.lists(EVENTS | VALUES, max_size=3) | EVENTS | VALUES


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(BODIES, max_size=12), st.integers(0, 12), st.sampled_from([SENT, STARTED, ENDED]))
def test_any_mixture_gives_the_rows_of_the_reference(
    bodies: list[object], repeat: int, plain: dict[str, Any]
):
    hostile = [message(body, alone=True) for body in bodies]
    same([*hostile, *[message(plain, plain)] * repeat, *hostile])
