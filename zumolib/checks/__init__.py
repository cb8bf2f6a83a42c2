"""Small checks of a deployment: each has an id, and says what it saw, how bad that is, and what to do.

::

    scene = Scene(app)
    diagnosis = diagnose(scene, CHECKS)
    diagnosis.verdict, diagnosis.frame

A check looks and never acts. The app is given by the caller; what only the embedded stack knows of
itself (its services) is given too. Runbooks ask some of the checks; an audit may ask them all.
"""

from __future__ import annotations

from zumolib.checks import broker, doubled, memory, queues, results, schedule, tasks, workers
from zumolib.checks.check import Check, Diagnosis, Finding, Verdict, diagnose
from zumolib.checks.scene import Scene
from zumolib.errors import CannotTell

CHECKS: tuple[Check, ...] = (
    *broker.CHECKS,
    *workers.CHECKS,
    *queues.CHECKS,
    *tasks.CHECKS,
    *schedule.CHECKS,
    *doubled.CHECKS,
    *memory.CHECKS,
    *results.CHECKS,
)
BY_ID = {check.id: check for check in CHECKS}

__all__ = ["BY_ID", "CHECKS", "CannotTell", "Check", "Diagnosis", "Finding", "Scene", "Verdict", "diagnose"]
