"""Event dictionaries become rows; what is no event is refused, and nothing else is."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zumolib.history import events

NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)
RECEIVED = NOW.timestamp()


def event(**fields: object) -> dict[str, object]:
    return {"type": "task-sent", "timestamp": RECEIVED - 1, "uuid": "a-1", "hostname": "beat@one", **fields}


def test_every_column_of_a_sent_event():
    row = events.row(
        event(name="core.tasks.x", queue="default", retries=2, eta="2026-11-16T13:00:00+01:00", args="(1,)"),
        RECEIVED,
    )
    assert list(row) == events.SCHEMA.names
    assert row["at"] == datetime(2026, 11, 16, 11, 59, 59, tzinfo=UTC)
    assert row["received"] == NOW
    assert row["eta"] == NOW
    assert (row["task_id"], row["name"], row["queue"], row["retries"]) == (
        "a-1",
        "core.tasks.x",
        "default",
        2,
    )
    assert row["runtime"] is None


def test_the_senders_zone_changes_nothing():
    assert events.row(event(utcoffset=-5), RECEIVED) == events.row(event(utcoffset=0), RECEIVED)


def test_a_heartbeat_has_load_and_counts_but_no_task():
    beat = {
        "type": "worker-heartbeat", "timestamp": RECEIVED, "hostname": "w@one", "pid": 7, "freq": 2.0,
        "active": 1, "processed": 9, "loadavg": [0.5, 0.4, 0.3], "sw_ver": "5.7.0", "sw_ident": "py-celery",
    }  # fmt: skip
    row = events.row(beat, RECEIVED)
    assert (row["load1"], row["active"], row["processed"], row["task_id"]) == (0.5, 1, 9, None)
    assert json.loads(row["extra"]) == {"sw_ident": "py-celery"}


# what is wrong with it | the event
REFUSED = [
    ("an object", [1]),
    ("an object", None),
    ("type", {}),
    ("type", {"type": 7, "timestamp": RECEIVED}),
    ("type", {"type": "x" * 501, "timestamp": RECEIVED}),
    ("timestamp", {"type": "task-sent", "uuid": "a"}),
    ("timestamp", event(timestamp="soon")),
    ("timestamp", event(timestamp=True)),
    ("timestamp", event(timestamp=float("nan"))),
    ("timestamp", event(timestamp=10**400)),
    ("timestamp", event(timestamp=RECEIVED + 2 * 86_400)),
    ("timestamp", event(timestamp=0)),
    ("task id", event(uuid=None)),
    ("task id", event(uuid="")),
    ("task id", event(uuid="x" * 256)),
    ("task id", event(uuid=["a"])),
]


@pytest.mark.parametrize(("wrong", "bad"), REFUSED)
def test_what_is_no_event_is_refused_by_name(wrong: str, bad: object):
    with pytest.raises(events.MalformedEvent, match=wrong):
        events.row(bad, RECEIVED)  # type: ignore[arg-type]


# a field that nobody can use is as good as absent | what the row then says
@pytest.mark.parametrize(
    ("fields", "column", "value"),
    [
        ({"retries": "two"}, "retries", None),
        ({"retries": 2**70}, "retries", None),
        ({"retries": True}, "retries", None),
        ({"eta": "tomorrow"}, "eta", None),
        ({"eta": {"in": 3}}, "eta", None),
        ({"name": 3}, "name", None),
        ({"name": "half \ud800 pair"}, "name", "half ? pair"),
        ({"name": "../../etc/passwd"}, "name", "../../etc/passwd"),
        ({"name": "<script>alert(1)</script>'; DROP"}, "name", "<script>alert(1)</script>'; DROP"),
        ({"args": [1, 2]}, "args", "[1, 2]"),
        ({"runtime": float("inf")}, "runtime", None),
    ],
)
def test_hostile_fields_do_not_spoil_the_rest(fields: dict[str, object], column: str, value: object):
    row = events.row(event(**fields), RECEIVED)
    assert row[column] == value
    assert events.table([row]).num_rows == 1


def test_long_texts_are_cut_and_say_so():
    row = events.row(event(args="x" * 100_000, strange="y" * 100_000), RECEIVED)
    assert len(row["args"]) == events.TEXT_LIMIT
    assert row["args"].endswith("…")
    assert json.loads(row["extra"])["fields"] == ["strange"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*events.SCHEMA.names, "uuid", "timestamp", "loadavg", "x"]), JSON))
def test_anything_gives_a_row_that_can_be_stored_or_is_refused(fields: dict[str, object]):
    try:
        row = events.row({**event(), **fields}, RECEIVED)
    except events.MalformedEvent:
        return
    table = events.table([row])
    assert table.schema == events.SCHEMA
    table.validate(full=True)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
