"""The door to the running system: every action is planned, previewed, applied, verified, and receipted.

::

    plan = control.revoke.plan(app, name="ats.tasks.*", state="active", terminate=True)
    plan.summary, plan.preview, plan.caveats      # nothing has happened yet
    receipt = control.apply(plan, reason="runs since yesterday")
    control.undo(app, receipt.id)                 # where there is a way back

A plan touches nothing. :func:`apply` writes the receipt before the action starts and completes it after.
The app is given by the caller, so any Celery app can be operated on.
"""

from __future__ import annotations

from zumolib.control import (
    call,
    catalog,
    limits,
    pause,
    pool,
    purge,
    reschedule,
    resume,
    retry,
    revoke,
    run_now,
    shutdown,
    switch,
    undoing,
)
from zumolib.control.applying import apply
from zumolib.control.following import follow
from zumolib.control.plan import Plan
from zumolib.control.undoing import undo
from zumolib.receipts.book import Receipt
from zumolib.receipts.observation import Observation

__all__ = [
    "Observation",
    "Plan",
    "Receipt",
    "apply",
    "call",
    "catalog",
    "follow",
    "limits",
    "pause",
    "pool",
    "purge",
    "reschedule",
    "resume",
    "retry",
    "revoke",
    "run_now",
    "shutdown",
    "switch",
    "undo",
    "undoing",
]
