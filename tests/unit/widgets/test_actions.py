"""The table of receipts can be narrowed to each action that leaves one."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from zumolib import control
from zumolib.control import Plan
from zumolib.widgets.actions import ACTIONS


def kinds(of: type[Plan]) -> set[str]:
    """Verbs of all plans of the product."""
    own = {str(of.action)} if of.__module__.startswith("zumolib.") and hasattr(of, "action") else set()
    return own.union(*(kinds(kind) for kind in of.__subclasses__()))


def test_every_action_that_leaves_a_receipt_can_be_looked_for() -> None:
    for module in iter_modules(control.__path__, "zumolib.control."):
        import_module(module.name)
    import_module("zumolib.stack.service")
    assert sorted(ACTIONS) == sorted(kinds(Plan))
