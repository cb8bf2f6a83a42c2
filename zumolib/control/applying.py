"""Apply a plan: receipt, action, verification, receipt."""

from __future__ import annotations

from threading import Event

from zumolib.conf import permission
from zumolib.control import record
from zumolib.control.plan import Plan
from zumolib.control.run import Cancelled, Progress, Run
from zumolib.errors import ControlError, InputError, ZumoError
from zumolib.receipts.book import Receipt
from zumolib.receipts.observation import UNKNOWN, UNSEEN, Observation

NOTHING_DONE = "nothing of it is known to have been done"


def apply(
    plan: Plan,
    *,
    reason: str = "",
    actor: str = "",
    allow: bool | None = None,
    progress: Progress | None = None,
    cancelled: Event | None = None,
) -> Receipt:
    """Do what a plan says, see whether it worked, and leave a receipt whatever happens.

    Parameters
    ----------
    plan
        From one of the modules of this package; each is applied once.
    reason, actor
        Why, and who; the actor is by default the user of this process.
    allow
        True lets a notebook act that runs without a person before it (see :mod:`.permission`).
    progress
        Called with how many steps are done, and of how many.
    cancelled
        Set it, from another thread, to stop between two steps.

    Returns
    -------
    Receipt
        Its ``state`` is ``done``; ``partly`` when some targets refused or stayed silent; ``cancelled``.

    Raises
    ------
    ReadOnly
        When actions are refused here; nothing was touched and no receipt written.
    InputError
        When the plan affects nothing.
    ControlError
        When the action failed or broke off; ``receipt`` is the id of its receipt, which says what was done.
    """
    permission.check(allow)
    if plan.preview.empty:
        raise InputError(f"nothing to do: {plan.summary}")
    pk = record.begin(plan, reason=reason, actor=actor)
    run = Run(total=len(plan.preview), progress=progress, cancelled=cancelled)
    try:
        plan.carry_out(run)
    except Cancelled:
        return _end(pk, plan, run, "cancelled", "cancelled")
    except BaseException as error:
        reason_it_broke = str(error) if isinstance(error, ZumoError) else f"{type(error).__name__}: {error}"
        _end(pk, plan, run, "partly" if run.succeeded else "failed", f"broke off: {reason_it_broke}")
        if isinstance(error, Exception):
            raise ControlError(f"{reason_it_broke}; receipt {pk} says what was done", receipt=pk) from error
        raise
    state = "done" if not run.failed else "partly" if run.succeeded else "failed"
    seen = UNSEEN if state == "failed" else _verify(plan, run)
    made = _end(pk, plan, run, state, "", seen)
    if state == "failed":
        raise ControlError(f"{made.outcome}; see receipt {pk}", receipt=pk)
    return made


def _verify(plan: Plan, run: Run) -> Observation:
    """A failure to look is not a failure of the action."""
    try:
        return plan.verify(run)
    except Exception as error:  # noqa: BLE001 - the action is done; its receipt must say so whatever this was
        return Observation(UNKNOWN, f"the effect could not be looked at: {error}")


def _end(pk: int, plan: Plan, run: Run, state: str, note: str = "", seen: Observation = UNSEEN) -> Receipt:
    undo = plan.way_back(run) if run.succeeded else None
    why = "" if undo is not None else plan.no_way_back if run.succeeded else NOTHING_DONE
    outcome = _outcome(run, note)
    return record.end(pk, run, state=state, outcome=outcome, seen=seen, undo=undo, no_way_back=why)


def _outcome(run: Run, note: str) -> str:
    """One line: how many worked, the first of those that did not, and what else is to say."""
    done, failed = run.succeeded, run.failed
    parts = [f"{len(done):,} of {run.total:,} done"] if run.total > 1 or not run.steps else []
    if len(run.steps) == 1:
        parts = [run.steps[0]["outcome"]]
    elif failed:
        parts.append(f"{len(failed):,} not, as {failed[0]['target']}: {failed[0]['outcome']}")
    return "; ".join(part for part in (*parts, *run.notes, note) if part)
