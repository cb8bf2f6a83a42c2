"""How soon the tasks of each queue should start, as data.

An objective is a promise that can be kept: not all tasks, but a share of them, start within a time. What
the promise leaves over is a budget that deployments, repairs and bad days may use up.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Objective:
    """A share of a queue's tasks starts within a time."""

    queue: str
    within: float  # seconds from sent, or due, until started
    share: float  # of the tasks, above 0 and below 1

    def __str__(self) -> str:
        return f"{self.share:.3g} of {self.queue} start within {self.within:g} s"


OBJECTIVES: tuple[Objective, ...] = (
    Objective("payments", within=5, share=0.95),
    Objective("emails", within=60, share=0.95),
    Objective("notifications", within=10, share=0.95),
    Objective("default", within=60, share=0.95),
    Objective("hr", within=60, share=0.95),
    Objective("ats", within=60, share=0.95),
    Objective("analytics", within=300, share=0.9),
    Objective("celery", within=300, share=0.9),
)
