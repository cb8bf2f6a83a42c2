"""The five troubles, and the causes that each runbook decides between, in the order in which it asks."""

from __future__ import annotations

from zumolib.checks import broker

TROUBLES: dict[str, tuple[str, ...]] = {
    "worker-does-not-connect": (*broker.IDS, "no-worker"),
    "tasks-not-executed": (
        *broker.IDS,
        "no-worker",
        "workers-busy",
        "prefetch-held",
        "queue-paused",
        "queue-unconsumed",
        "task-unregistered",
        "rate-limited",
        "task-revoked",
    ),
    "beat-does-not-trigger": (*broker.IDS, "beat-stopped", "entry-disabled", "entry-bad", "beat-doubled"),
    "worker-memory-grows": (*broker.IDS, "no-worker", "task-leaks", "process-grew"),
    "result-backend-full": ("results-unreachable", "results-never-expire", "results-memory-limit"),
}
