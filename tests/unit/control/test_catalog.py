from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from zumolib.cli import duration
from zumolib.control import catalog
from zumolib.errors import InputError
from zumolib.inspection.signatures import describe

# text, type of its parameter, value
VALUES = [
    ("30", "int", 30),
    (" 30 ", "int", 30),
    ("0.5", "float", 0.5),
    ("30", "float", 30.0),
    ("true", "bool", True),
    ("No", "bool", False),
    ("30", "str", "30"),
    ("true", "str", "true"),
    ("", "str", ""),
    ("", "int | None", None),
    ("none", "int | None", None),
    ("7", "int | None", 7),
    ("x", "int | str", "x"),
    ("[1, 2]", "list[int]", [1, 2]),
    ('{"a": 1}', "dict[str, Any]", {"a": 1}),
    ("30", "", 30),
    ("words", "", "words"),
    ("null", "", None),
    ("2026-11-22", "Moment", "2026-11-22"),
]


@pytest.mark.parametrize(("text", "type_", "value"), VALUES)
def test_a_text_becomes_what_its_parameter_wants(text: str, type_: str, value: Any) -> None:
    found = catalog.typed(text, type_)
    assert found == value
    assert type(found) is type(value)


# text, type, what the error says
REFUSED = [
    ("abc", "int", "'abc' is no int; write a whole number"),
    ("1.5", "int", "'1.5' is no int"),
    ("x", "float", "'x' is no float"),
    ("maybe", "bool", "'maybe' is no bool; write true or false"),
    ("x", "int | None", "'x' is no int"),
    ("{", "dict", "'{' is no dict; write it as JSON"),
    ("a,b", "list[str]", "'a,b' is no list; write it as JSON"),
]


@pytest.mark.parametrize(("text", "type_", "error"), REFUSED)
def test_a_text_that_does_not_fit_is_named(text: str, type_: str, error: str) -> None:
    with pytest.raises(InputError, match=error.replace("{", r"\{")):
        catalog.typed(text, type_)


def task(function: Any) -> catalog.Task:
    return catalog.Task("a.b", describe(function), "", (), "default")


def test_a_signature_reads_as_it_was_written() -> None:
    def function(a: int, b: str = "x", *rest: int, c: bool, d: float | None = None, **more: Any) -> None: ...

    assert (
        task(function).signature
        == "(a: int, b: str = 'x', *rest: int, c: bool, d: float | None = None, **more: Any)"
    )
    assert [p.required for p in task(function).parameters or ()] == [True, False, False, True, False, False]


def test_arguments_are_checked_against_the_signature() -> None:
    def function(a: int, b: str = "x", *, c: bool = False) -> None: ...

    catalog.check(task(function), [1], {"c": True})
    for args, kwargs, error in (
        ([], {}, "missing a required argument: 'a'"),
        ([1, 2, 3], {}, "too many positional"),
        ([1], {"z": 1}, "unexpected keyword argument 'z'"),
        ([1], {"a": 1}, "multiple values"),
    ):
        with pytest.raises(InputError, match=error):
            catalog.check(task(function), args, kwargs)


def test_a_task_of_unknown_signature_takes_anything() -> None:
    unknown = catalog.Task("a.b", None, "", (), "default")
    catalog.check(unknown, [1, 2], {"z": 3})
    assert unknown.signature == "(…)"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7_200), ("1d", 86_400), (None, None)]
)
def test_durations(text: str | None, seconds: float | None) -> None:
    assert duration.seconds(text, "--older") == seconds


@pytest.mark.parametrize("text", ["", "-5", "5x", "soon", "1e3"])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match=r"--older .* is no duration; write it like 90s"):
        duration.seconds(text, "--older")


def test_moments_are_utc_where_they_name_no_zone() -> None:
    assert duration.moment("2026-11-22T10:00", "--eta") == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert duration.moment("2026-11-22T10:00+02:00", "--eta") == datetime(2026, 11, 22, 8, tzinfo=UTC)
    with pytest.raises(InputError, match="--eta 'noon' is no time"):
        duration.moment("noon", "--eta")


def test_defaults_show_no_secrets() -> None:
    def function(
        user: str = "ann", token: str = "hunter2", pin: int | None = None, otp: str = "",
        broker: str = "amqp://u:hunter2@h",
    ) -> None: ...  # fmt: skip

    defaults = [p.default for p in describe(function) or ()]
    assert defaults == ["'ann'", "'***'", "None", "''", "'amqp://u:***@h'"]
    assert [p.default for p in describe(function, ("user",)) or ()][:2] == ["'***'", "'hunter2'"]
