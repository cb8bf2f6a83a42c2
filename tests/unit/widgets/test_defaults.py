"""What a panel would do before anybody has chosen anything: nothing that ends a process or throws something away."""

from __future__ import annotations

import inspect

import pytest
from celery import Celery

from zumolib import widgets

#   panel      field        as it opens
OPENED = [
    ("revoke", "terminate", False),
    ("pool", "action", "grow"),
    ("queue", "action", "pause"),
    ("entry", "action", "disable"),
    ("limits", "kind", "rate"),
    ("limits", "hard", ""),
]


@pytest.mark.parametrize(("name", "field", "value"), OPENED)
def test_nothing_that_ends_a_process_is_a_default(app: Celery, name: str, field: str, value: object) -> None:
    panel = getattr(widgets, name)(app=app)
    assert panel.form[field].control.value == value
    assert panel._confirm.disabled


def test_the_table_above_has_every_panel_with_several_actions() -> None:
    panels = {
        name for name in widgets.__all__ if "action" in inspect.signature(getattr(widgets, name)).parameters
    }
    assert panels - {"receipts"} <= {name for name, _, _ in OPENED}  # of receipts it is a filter
