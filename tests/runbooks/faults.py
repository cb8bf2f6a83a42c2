"""Faults, each planted for real: what the runbook must say, and what Celery or the broker says afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from tests.runbooks import consuming, leaking, scheduled, servers, stored
from tests.runbooks.deployments import PLAIN, Embedded, Full


def nothing(d: Any) -> None:
    """Nothing to do."""


@dataclass(frozen=True)
class Fault:
    """One trouble."""

    name: str
    runbook: str
    verdict: str  # that the diagnosis must give, whole
    plant: Callable[[Any], None]
    over: Callable[[Any], bool]  # as Celery or the broker themselves say
    on: tuple[type, ...] = (Embedded, Full)
    by_hand: Callable[[Any], None] | None = None  # what the person does on a deployment of their own
    parameters: dict[str, Any] = field(default_factory=dict)
    briefly: dict[str, Any] = field(default_factory=dict)  # parameters of a run that finds nothing to do
    meanwhile: Callable[[Any], AbstractContextManager[None]] = (
        nullcontext  # work that goes on during the diagnosis
    )
    clear: Callable[[Any], None] = nothing  # what the cure rightly leaves
    kernel: bool = True  # is also tried by nbval


UNCONSUMED = "; ".join(
    f"queue-unconsumed ({queue})"
    for queue in ("default", "analytics", "notifications", "hr", "ats", "celery")
)


FAULTS = (
    Fault(
        "broker stopped",
        "worker-does-not-connect",
        "broker-unreachable",
        servers.stop_broker,
        servers.answers,
        by_hand=servers.start_broker,
    ),
    Fault(
        "wrong password",
        "worker-does-not-connect",
        "broker-refuses-login",
        servers.wrong_password,
        servers.run_a_task,
        by_hand=servers.right_password,
    ),
    Fault(
        "virtual host refused",
        "worker-does-not-connect",
        "broker-refuses-vhost",
        servers.refuse_vhost,
        servers.run_a_task,
        on=(Full,),
        by_hand=servers.allow_vhost,
        kernel=False,
    ),
    Fault(
        "worker stopped",
        "worker-does-not-connect",
        "no-worker",
        servers.stop_worker,
        servers.answers,
        by_hand=servers.start_worker,
        kernel=False,
    ),
    Fault(
        "queues taken from the worker",
        "tasks-not-executed",
        UNCONSUMED,
        consuming.other_queues,
        consuming.all_consumed,
        on=(Embedded,),
    ),
    Fault(
        "worker started on the wrong queues",
        "tasks-not-executed",
        UNCONSUMED,
        consuming.started_with_other_queues,
        consuming.all_consumed,
        on=(Full,),
        clear=consuming.newer_worker,
    ),
    Fault(
        "entry of an unknown task",
        "tasks-not-executed",
        f"task-unregistered ({scheduled.TYPO})",
        scheduled.send_unknown_entry,
        scheduled.unknown_entry_is_off,
        clear=scheduled.remove_unknown_entry,
    ),
    Fault(
        "worker of older code",
        "tasks-not-executed",
        "task-unregistered (tests.late)",
        consuming.older_worker,
        consuming.late_is_registered,
        on=(Full,),
        by_hand=consuming.newer_worker,
    ),
    Fault("queue paused", "tasks-not-executed", "queue-paused (hr)", consuming.pause, consuming.all_consumed),
    Fault(
        "rate limit in the way",
        "tasks-not-executed",
        f"rate-limited ({PLAIN})",
        consuming.limit,
        consuming.held_ran,
        by_hand=consuming.newer_worker,
    ),
    Fault(
        "beat stopped",
        "beat-does-not-trigger",
        "beat-stopped",
        scheduled.stop_beat,
        scheduled.beat_sends,
        by_hand=scheduled.start_beat,
    ),
    Fault(
        "row disabled",
        "beat-does-not-trigger",
        f"entry-disabled ({scheduled.ENTRY})",
        scheduled.disable,
        scheduled.entry_is_on,
    ),
    Fault(
        "task leaks",
        "worker-memory-grows",
        "task-leaks (tests.leaky)",
        leaking.leak,
        leaking.processes_are_new,
        parameters={"watch": 20},
        briefly={"watch": 3},
        meanwhile=leaking.goes_on_leaking,
    ),
    Fault(
        "result backend stopped",
        "result-backend-full",
        "results-unreachable",
        servers.stop_results,
        servers.run_a_task,
        on=(Full,),
        by_hand=servers.start_results,
        kernel=False,
    ),
    Fault(
        "results at the memory limit",
        "result-backend-full",
        "results-memory-limit",
        stored.fill,
        stored.has_room,
        clear=stored.lift_limit,
    ),
    Fault(
        "results never expire",
        "result-backend-full",
        "results-never-expire",
        stored.forever,
        stored.all_expire,
        clear=stored.lift_limit,
    ),
)


SERVICES = ("worker-does-not-connect", "beat-does-not-trigger", "result-backend-full")


WORK = ("tasks-not-executed", "worker-memory-grows")


def by_nbval(kind: type, runbooks: Sequence[str]) -> list[Fault]:
    """Faults that are tried in a kernel: each on the first of its deployments."""
    return [f for f in FAULTS if f.kernel and f.on[0] is kind and f.runbook in runbooks]


def by_interruption(kind: type, runbooks: Sequence[str]) -> list[Fault]:
    """Faults whose runbook is interrupted: each on the last of its deployments, and wherever its cure is another."""
    return [f for f in FAULTS if (f.on[-1] is kind or (f.by_hand and kind in f.on)) and f.runbook in runbooks]
