"""What is hidden in recorded events: the same as text by text, found without reading each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.masking.inputs import INPUTS
from zumolib.history import events
from zumolib.masking import KEYS, MASK, Hidden, mask_text, suspects
from zumolib.masking.table import COLUMNS, mask_table
from zumolib.recorder import buffer
from zumolib.recorder.columns import Message

NAMES = st.sampled_from(
    [*KEYS, "accessToken", "db-password", "API KEY", "a_pi_key", "discard", "user", "x", "ключ", "Card2"]
)
PAIRS = st.tuples(NAMES, st.text(max_size=8), st.sampled_from(["'{}': '{}'", '"{}": "{}"', "{}={}"]))
SECRETS = st.sampled_from([text for text, _ in INPUTS])
TEXTS = st.lists(PAIRS | SECRETS | st.text(max_size=30), max_size=4).map(
    lambda parts: ", ".join(part if isinstance(part, str) else part[2].format(*part[:2]) for part in parts)
)


@pytest.fixture(autouse=True, scope="module")
def however_little() -> Iterator[None]:
    """Also a few bytes are looked through before they are read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suspects, "LITTLE", 0)
        yield


def rows(texts: list[str | None], column: str = "args") -> pa.Table:
    empty: dict[str, Any] = dict.fromkeys(events.SCHEMA.names)
    return events.table([{**empty, "type": "task-sent", column: text} for text in texts])


@settings(deadline=None)
@given(
    texts=st.lists(TEXTS | st.none(), max_size=6),
    more=st.lists(TEXTS, max_size=3),
    keys=st.sets(NAMES) | st.just(KEYS),
)
def test_a_table_is_masked_as_its_texts_are(texts: list[str | None], more: list[str], keys: Any) -> None:
    both = pa.concat_tables([rows(texts), rows(list(more))])  # two chunks
    found = mask_table(both, tuple(keys))
    assert found.schema == events.SCHEMA
    assert found["args"].to_pylist() == [text and mask_text(text, tuple(keys)) for text in [*texts, *more]]
    assert found.drop_columns(["args"]).equals(both.drop_columns(["args"]))


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_of_text_is_looked_through(column: str) -> None:
    found = mask_table(rows(["{'password': 'hunter2', 'user': 'ann'}"], column), KEYS)
    assert found[column].to_pylist() == [f"{{'password': '{MASK}', 'user': 'ann'}}"]


def message(body: bytes) -> Message:
    return Message(body, 1_790_000_000.0)


EVENT = (
    b'{"type": "task-received", "uuid": "%d", "timestamp": 1789999999.0, "name": "t",'
    b' "args": "()", "kwargs": "{\'card\': \'4242\'}", "strange": {"token": "t0ps3cret"}}'
)


@pytest.mark.parametrize("count", [1, 100], ids=["rows", "columns"])
def test_what_is_held_is_masked_whichever_way_it_came(count: int) -> None:
    its = buffer.Held(KEYS)
    its.add(message(EVENT % number) for number in range(count))
    assert its.convert() == []
    table = its.table()
    assert table is not None
    assert set(table["kwargs"].to_pylist()) == {f"{{'card': '{MASK}'}}"}
    assert "t0ps3cret" not in str(table["extra"].to_pylist())


@pytest.mark.parametrize(
    "body",
    [b'{"token": "t0ps3cret"}', b'"token=t0ps3cret"', b"\xfftoken=t0ps3cret"],
    ids=["dict", "text", "bytes"],
)
def test_what_is_kept_aside_is_masked(body: bytes) -> None:
    its = buffer.Held(KEYS)
    its.add([message(body)])
    [refused] = its.convert()
    assert "t0ps3cret" not in str(refused.raw)
    assert MASK in str(refused.raw)


def test_why_something_is_kept_aside_shows_no_secret() -> None:
    its = buffer.Held(KEYS)
    its.add([message(b'{"type": "task-sent", "uuid": "1", "timestamp": "redis://:t0ps3cret@h"}')])
    [refused] = its.convert()
    assert refused.reason == f"no usable timestamp: 'redis://:{MASK}@h'"
    assert "t0ps3cret" not in str(refused.raw)


@pytest.mark.parametrize("form", ["events", "partials"])
def test_positional_arguments_are_masked_where_the_signature_is_known(form: str) -> None:
    found = rows(["('ann', 'hunter2')", None, "('ann', 'hunter2')"])
    names = pa.array(["login", "login", "other"])
    found = found.set_column(found.schema.get_field_index("name"), "name", names)
    if form == "partials":
        moments = pa.array([1, None, 3])
        args = pa.StructArray.from_arrays(
            [moments, found["args"].combine_chunks()], ["moment", "text"], mask=pa.array([False, True, False])
        )
        found = pa.table({"name": names, "args": args})
    shown = mask_table(found, KEYS, {"login": Hidden(frozenset({1}))})
    texts = [row and (row["text"] if form == "partials" else row) for row in shown["args"].to_pylist()]
    assert texts == ["('ann', '***')", None, "('ann', 'hunter2')"]
    assert shown.schema == found.schema


def test_texts_within_structures_are_masked() -> None:
    ended = pa.array(
        [{"state": "FAILURE", "traceback": "token=x"}, None, {"state": "token=x", "traceback": None}]
    )
    found = pa.table({"name": ["a", "b", "c"], "ended": ended})
    shown = mask_table(found, KEYS)
    assert shown["ended"].to_pylist() == [
        {"state": "FAILURE", "traceback": "token=***"}, None, {"state": "token=x", "traceback": None},
    ]  # fmt: skip
    assert mask_table(shown, KEYS) is shown
