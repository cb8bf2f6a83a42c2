"""Which kill each task belongs to that was begun twice: Celery delivers again what nobody acknowledged."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import pairwise

from tests.endurance.logbook import Line

UNEXPLAINED = "unexplained"
SENT_AGAIN = "sent again under the same id, since the first sending failed"


@dataclass(frozen=True)
class Kill:
    """One SIGKILL."""

    name: str
    at: float  # just before it, in seconds since 1970
    back: float  # when the process worked again
    pids: frozenset[int]  # the process and those below it, which end with it
    broker: bool  # of the broker: whatever it had handed out, it hands out again


def causes(
    begun: Iterable[list[Line]], kills: Collection[Kill], sent_again: Collection[str]
) -> dict[str, list[str]]:
    """Tasks that were begun more than once, by what made it so.

    The cause of a second begin is a kill between the two begins, of what had the task in its hands: the process
    that ran it, the worker above that, or the broker.
    """
    found: dict[str, list[str]] = {}
    for lines in begun:
        ordered = sorted(lines, key=lambda line: line.at)
        for earlier, later in pairwise(ordered):
            found.setdefault(_cause(earlier, later, kills, sent_again), []).append(later.task)
    return {cause: sorted(tasks) for cause, tasks in found.items()}


def _cause(earlier: Line, later: Line, kills: Collection[Kill], sent_again: Collection[str]) -> str:
    between = [kill for kill in kills if earlier.at <= kill.back and kill.at <= later.at]
    for kill in between:
        if earlier.pid in kill.pids:
            return f"SIGKILL {kill.name}"
    if later.task in sent_again:
        return SENT_AGAIN
    for kill in between:
        if kill.broker:
            return f"SIGKILL {kill.name}"
    return UNEXPLAINED
