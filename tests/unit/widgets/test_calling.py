from __future__ import annotations

from typing import Any

import pytest
from celery import Celery

from zumolib.control import catalog
from zumolib.errors import InputError
from zumolib.widgets import calling
from zumolib.widgets.calling import Call


@pytest.fixture(autouse=True)
def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What workers would tell is what this process knows; nobody is asked."""
    monkeypatch.setattr(catalog, "tasks", catalog.here)


def panel(app: Celery, name: str, **typed: str) -> Call:
    made = Call(app, name=name, arguments="", start="", zone="UTC")
    for field, text in typed.items():
        made.form[f"{calling.ARGUMENT}{field}"].control.value = text
    made.look()
    return made


def planned(made: Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    plan: Any = made.plan
    assert plan is not None, made._message.value
    return plan.args, dict(plan.kwargs)


def test_arguments_are_typed_as_the_signature_says(app: Celery) -> None:
    made = panel(app, "shop.pay", customer="7", amount="1.50", dry="yes")
    assert planned(made) == ((), {"customer": 7, "amount": 1.5, "dry": True})
    assert "note: str = " in made.form["task"]._note.value
    assert "Take money" in made.form["task"]._note.value


def test_what_is_missing_or_no_such_type_is_marked_at_its_parameter(app: Celery) -> None:
    made = panel(app, "shop.pay", customer="seven")
    assert "&#x27;seven&#x27; is no int" in made.form[f"{calling.ARGUMENT}customer"]._note.value
    assert "amount is required; enter float" in made.form[f"{calling.ARGUMENT}amount"]._note.value
    assert made._confirm.disabled


def test_more_positional_arguments_come_after_the_named_ones(app: Celery) -> None:
    made = panel(app, "shop.many", first="a", others="[1, 2]", named='{"b": "c"}')
    assert planned(made) == (("a", 1, 2), {"b": "c"})


def test_another_task_has_other_fields(app: Celery) -> None:
    made = panel(app, "shop.pay", customer="1", amount="2")
    made.form["task"]._filter.value = "shop.nothing"  # type: ignore[attr-defined]
    assert planned(made) == ((), {})
    assert not [name for name in made.form.fields if name.startswith(calling.ARGUMENT)]


#   written                                         args, kwargs
WRITTEN = [
    ("", ([], {})),
    ("[1, 2]", ([1, 2], {})),
    ('{"days": 30}', ([], {"days": 30})),
    ('{"args": [1], "kwargs": {"dry": true}}', ([1], {"dry": True})),
    ('{"args": [1]}', ([1], {})),
]


@pytest.mark.parametrize(("text", "arguments"), WRITTEN)
def test_arguments_as_json(text: str, arguments: tuple[list[Any], dict[str, Any]]) -> None:
    assert calling.as_json(text) == arguments


#   written            what is expected
REFUSED = [
    ("{days: 30}", "this is no JSON"),
    ("30", "expected a JSON object or list"),
    ('{"args": 1}', "args must be a JSON list and kwargs a JSON object"),
]


@pytest.mark.parametrize(("text", "expected"), REFUSED)
def test_json_that_is_no_arguments_is_refused(text: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        calling.as_json(text)


def test_json_goes_before_fields_when_it_is_chosen(app: Celery) -> None:
    made = panel(app, "shop.pay")
    made.form["how"].control.value = "json"
    made.form["json"].control.value = '{"args": [1, 2.0]}'
    assert planned(made) == ((1, 2.0), {})
    made.form["json"].control.value = '{"nosuch": 1}'
    assert made.plan is None
    assert "shop.pay(" in made._message.value + made.form["json"]._note.value


def test_hostile_arguments_show_as_text(app: Celery) -> None:
    hostile = '<img src=x onerror="alert(1)">\x1b[31m'
    made = panel(app, "shop.pay", customer="1", amount="2", note=hostile + "x" * 1_000_000)
    shown = "".join(str(getattr(part, "value", "")) for part in made.preview.box.children)
    shown += "".join(made.static())
    assert "<img" not in made.static()[0]
    assert "&lt;img" in shown
    assert "\x1b" not in shown
    assert len(shown) < 20_000
