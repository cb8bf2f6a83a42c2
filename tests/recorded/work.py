"""What becomes of each task that is sent: it waits, runs, fails, is retried or revoked, as events tell it."""

from __future__ import annotations

import heapq
import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.recorded.schedule import START, firings

# queue: (worker, processes, typical run time in seconds)
QUEUES = {
    "payments": ("critical@zumodra-1", 1, 2.5),
    "emails": ("critical@zumodra-1", 2, 4.0),
    "notifications": ("critical@zumodra-1", 1, 1.5),
    "default": ("general@zumodra-2", 2, 1.0),
    "hr": ("general@zumodra-2", 1, 2.0),
    "ats": ("general@zumodra-2", 1, 6.0),
    "analytics": ("general@zumodra-2", 1, 12.0),
    "celery": ("general@zumodra-2", 1, 0.2),
}

SLOW = (START + timedelta(hours=14), START + timedelta(hours=14, minutes=40))
OUTAGE = (START + timedelta(days=1, hours=10), START + timedelta(days=1, hours=11, minutes=30))
REVOKED = START + timedelta(days=1, hours=16)

ERRORS = (
    ("OperationalError('connection to server was lost')", "django.db.utils.OperationalError"),
    ("ConnectionRefusedError(111, 'Connection refused')", "ConnectionRefusedError"),
    ("ValueError(\"tenant 'acme' has no plan\")", "ValueError"),
)
TIMEOUT = ("ReadTimeout('payment provider: read timed out after 10 s')", "requests.exceptions.ReadTimeout")


@dataclass(frozen=True)
class Run:
    """One attempt at a task: when it was sent, and when a process had it."""

    sent: float
    started: float
    finished: float
    queue: str


def weights(rng: random.Random) -> dict[str, float]:
    """How much longer than its queue's typical task each one runs."""
    return {name: rng.uniform(0.4, 2.5) for name in sorted({firing.name for firing in firings()})}


def simulate(
    rng: random.Random, weight: dict[str, float], *, usual: bool = False
) -> tuple[list[dict[str, Any]], list[Run]]:
    """Events of all tasks, and the runs behind them; `usual` leaves out what happened."""
    found: list[dict[str, Any]] = []
    runs: list[Run] = []
    free = {queue: [0.0] * processes for queue, (_, processes, _) in QUEUES.items()}
    revoked = 0 if usual else 3
    waiting = []
    for number, firing in enumerate(firings()):
        sent = firing.at.timestamp() + rng.uniform(0.01, 0.9)
        waiting.append((sent, number, firing, _uuid(rng), 0, None))
    heapq.heapify(waiting)
    while waiting:
        sent, number, firing, task_id, attempt, eta = heapq.heappop(waiting)
        worker, _, typical = QUEUES[firing.queue]
        base = {"uuid": task_id, "pid": 4100 + len(firing.queue), "utcoffset": 0}
        described = {
            **base, "name": firing.name, "args": "()", "kwargs": "{}", "retries": attempt,
            "root_id": task_id, "parent_id": None, "expires": None,
            "eta": eta and datetime.fromtimestamp(eta, UTC).isoformat(),
        }  # fmt: skip
        found.append(
            {
                **described,
                "type": "task-sent",
                "timestamp": sent,
                "queue": firing.queue,
                "exchange": "",
                "routing_key": firing.queue,
                "entry": firing.entry,
                "hostname": worker if attempt else "beat@zumodra-1" if firing.entry else "jupyter@zumodra-1",
            }
        )
        received = sent + rng.uniform(0.002, 0.02)
        on_worker = {**base, "hostname": worker}
        found.append({**described, **on_worker, "type": "task-received", "timestamp": received})
        if revoked and firing.at >= REVOKED and firing.queue == "analytics":
            revoked -= 1
            found.append(
                {
                    **on_worker,
                    "type": "task-revoked",
                    "timestamp": received + 0.4,
                    "terminated": False,
                    "signum": None,
                    "expired": False,
                }
            )
            continue
        processes = free[firing.queue]
        begin = max(received + rng.uniform(0.001, 0.01), eta or 0.0, heapq.heappop(processes))
        seconds, error = _outcome(rng, firing.queue, begin, typical * weight[firing.name], usual)
        heapq.heappush(processes, begin + seconds)
        runs.append(Run(max(sent, eta or 0.0), begin, begin + seconds, firing.queue))
        found.append({**on_worker, "type": "task-started", "timestamp": begin})
        end = {**on_worker, "timestamp": begin + seconds}
        if error is None:
            found.append(
                {**end, "type": "task-succeeded", "runtime": seconds - 0.002, "result": "{'status': 'ok'}"}
            )
            continue
        end |= {"exception": error[0], "traceback": _traceback(firing.name, error)}
        if attempt < 3 and error[1] != "ValueError":
            again = begin + seconds + 30 * 2**attempt * rng.uniform(0.8, 1.2)
            found.append({**end, "type": "task-retried"})
            heapq.heappush(waiting, (begin + seconds - 0.003, number, firing, task_id, attempt + 1, again))
        else:
            found.append({**end, "type": "task-failed"})
    return found, runs


def _outcome(
    rng: random.Random, queue: str, begin: float, typical: float, usual: bool
) -> tuple[float, tuple[str, str] | None]:
    """Seconds that a run takes, and its error."""
    # Logarithms differ in their last digit between libraries; a microsecond is what an event tells.
    seconds = round(typical * rng.lognormvariate(0, 0.4), 6)
    if usual:
        return seconds, None
    if queue == "notifications" and SLOW[0].timestamp() <= begin < SLOW[1].timestamp():
        seconds = rng.uniform(70, 110)
    if queue == "payments" and OUTAGE[0].timestamp() <= begin < OUTAGE[1].timestamp():
        return rng.uniform(10.0, 10.4), TIMEOUT
    return seconds, rng.choice(ERRORS) if rng.random() < 0.012 else None


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _traceback(name: str, error: tuple[str, str]) -> str:
    module, _, function = name.rpartition(".")
    path = module.replace(".", "/") + ".py"
    return (
        'Traceback (most recent call last):\n  File "celery/app/trace.py", line 585, in trace_task\n'
        f'    R = retval = fun(*args, **kwargs)\n  File "{path}", line 42, in {function}\n'
        f"{error[1]}: {error[0].partition('(')[2].rstrip(')')}\n"
    )
