"""What is shown of plain data, of calls, and of a log."""

from __future__ import annotations

import io
import logging
from collections import deque, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
from celery import Celery
from hypothesis import given

from tests.unit.masking.test_text import plain
from zumolib.inspection.signatures import hidden_arguments
from zumolib.masking import KEYS, MASK, Hidden, hidden_positions, mask_call, mask_value
from zumolib.masking.log import Masking


@dataclass
class Login:
    user: str
    password: str


Point = namedtuple("Point", "x token")

VALUES = [
    (
        {"a": [{"token": "t", "n": 1}], "b": ({"card": {"number": "42"}},)},
        {"a": [{"token": MASK, "n": 1}], "b": ({"card": MASK},)},
    ),
    (['{"password": "hunter2"}'], ['{"password": "***"}']),
    ([["password", "hunter2"], ("user", "ann")], [["password", MASK], ("user", "ann")]),
    ([("password", "hunter2"), ("user", "ann")], [("password", MASK), ("user", "ann")]),
    ({"name": "password", "value": "hunter2"}, {"name": "password", "value": MASK}),
    ({"value": "hunter2", "name": "password"}, {"value": MASK, "name": "password"}),
    (["psql", "--password", "hunter2", "-h", "x"], ["psql", "--password", MASK, "-h", "x"]),
    (["psql", "--password=hunter2"], ["psql", "--password=***"]),
    (Login("ann", "hunter2"), {"user": "ann", "password": MASK}),
    (Point(1, "hunter2"), (1, MASK)),
    ({b"password": "x"}, {b"password": MASK}),
    ({("db", "password"): "x"}, {("db", "password"): MASK}),
    (b"token=hunter2", "token=***"),
    (b"\xff\x00", b"\xff\x00"),
    ({"a": {"amqp://u:hunter2@h"}}, {"a": {"amqp://u:***@h"}}),
    ({1: 2, None: 3.5}, {1: 2, None: 3.5}),
    ({"amqp://u:hunter2@h": 1, "a": 2}, {"amqp://u:***@h": 1, "a": 2}),
    (deque([("pin", "hunter2"), 5]), [("pin", MASK), 5]),
    ({"loc": ["body", "password"], "input": "hunter2"}, {"loc": ["body", "password"], "input": MASK}),
    ({"loc": ("body", "name"), "input": "ann"}, {"loc": ("body", "name"), "input": "ann"}),
]


@pytest.mark.parametrize(("value", "shown"), VALUES, ids=range(len(VALUES)))
def test_what_remains_of_a_value(value: Any, shown: Any) -> None:
    before = repr(value)
    assert mask_value(value) == shown
    assert repr(value) == before, "the original is not touched"
    assert mask_value(shown) == shown


def test_what_holds_itself_or_is_deep_or_shared_ends() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    assert mask_value(loop) == [1, MASK]
    deep: Any = "x"
    for _ in range(5_000):
        deep = [deep]
    assert MASK in str(mask_value(deep))
    wide: Any = {"password": "x"}
    for _ in range(45):
        wide = [wide, wide]
    found = mask_value(wide)
    while isinstance(found, list):
        found = found[1]
    assert found == {"password": MASK}


@given(value=plain)
def test_masking_twice_is_masking_once(value: Any) -> None:
    once = mask_value(value)
    assert mask_value(once) == once


def test_positional_arguments_are_masked_by_their_parameters_names() -> None:
    def login(user: str, password: str, *rest: str) -> None: ...

    args, kwargs = mask_call(login, ("ann", "hunter2", "more"), {"token": "t", "n": 1}, KEYS)
    assert args == ["ann", MASK, "more"]
    assert kwargs == {"token": MASK, "n": 1}
    assert mask_call(None, ("ann", "hunter2"), {}, KEYS)[0] == ["ann", "hunter2"]


def test_positions_come_from_a_tasks_signature() -> None:
    app = Celery("some", set_as_current=False)

    @app.task(name="login", bind=True)
    def login(self: Any, user: str, password: str, *, token: str = "") -> None: ...

    @app.task(name="keep")
    def keep(user: str, *secrets: str) -> None: ...

    @app.task(name="plain")
    def plain_task(user: str) -> None: ...

    found = hidden_arguments(app, KEYS)  # tasks that are shared with every app are among them
    ours = {name: found[name] for name in ("login", "keep", "plain") if name in found}
    assert ours == {"login": Hidden(frozenset({1})), "keep": Hidden(rest=1)}
    assert not hidden_positions(len, KEYS)
    assert not hidden_positions(None, KEYS)


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_log_shows_no_secret() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(Masking(KEYS))
    logger = logging.Logger("some")
    logger.addHandler(handler)
    logger.info("connecting to %s with %s", "amqp://u:hunter2@h", {"token": "hunter2"})
    try:
        raise ValueError("bad url redis://:hunter2@h")
    except ValueError:
        logger.exception("failed: password=%r", "hunter2")
    logger.info("plain %d", 5)
    said = out.getvalue()
    assert "hunter2" not in said.replace('"bad url redis://:hunter2@h"', "").replace(
        'password=%r", "hunter2"', ""
    )
    assert "connecting to amqp://u:***@h with {'token': '***'}" in said
    assert "ValueError: bad url redis://:***@h" in said
    assert "plain 5" in said


@pytest.mark.parametrize(
    ("message", "arguments", "shown"),
    [
        ("got %s", (Unshowable(),), "got %s (cannot be shown: RuntimeError)"),
        ("got %d", ("password=hunter2",), "got %d (cannot be shown: TypeError)"),
        (Unshowable(), (), "Unshowable (cannot be shown: RuntimeError)"),
    ],
)
def test_a_record_that_cannot_be_shown_shows_no_arguments(message: Any, arguments: Any, shown: str) -> None:
    """Logging itself would write them to stderr."""
    record = logging.LogRecord("some", logging.INFO, "f", 1, message, arguments, None)
    assert Masking(KEYS).filter(record)
    assert record.getMessage() == shown
