"""What was sampled beside the tasks: the depth of each queue, and the workers' heartbeats."""

from __future__ import annotations

from bisect import bisect
from datetime import datetime, timedelta
from typing import Any

from tests.recorded.schedule import END, START
from tests.recorded.work import QUEUES, Run


def depths(runs: list[Run]) -> list[dict[str, Any]]:
    """Every 60 s: who waited and who ran in each queue."""
    begin, minutes = START.timestamp() + 1.0, int((END - START).total_seconds() // 60)
    ready = {queue: [0] * minutes for queue in QUEUES}
    unacked = {queue: [0] * minutes for queue in QUEUES}
    for run in runs:
        for counts, since, until in ((ready, run.sent, run.started), (unacked, run.started, run.finished)):
            # Samples at begin + 60 n with since <= sample < until.
            low, high = (max(0, min(minutes, -int((begin - moment) // 60))) for moment in (since, until))
            for sample in range(low, high):
                counts[run.queue][sample] += 1
    return [
        {
            "at": START + timedelta(seconds=1 + 60 * sample),
            "queue": queue,
            "ready": ready[queue][sample],
            "unacked": unacked[queue][sample],
            "consumers": 1,
        }
        for sample in range(minutes)
        for queue in QUEUES
    ]


def heartbeats(runs: list[Run], *, restart: datetime) -> list[dict[str, Any]]:
    """One of each worker every 60 s; the second one has a new process from `restart` on."""
    found = []
    for pid, worker in enumerate(sorted({worker for worker, _, _ in QUEUES.values()}), start=4100):
        own = [run for run in runs if QUEUES[run.queue][0] == worker]
        ends = sorted(run.finished for run in own)
        starts = sorted(run.started for run in own)
        at, started, ended = START.timestamp() + 20, 0, 0
        while at < END.timestamp():
            while started < len(starts) and starts[started] <= at:
                started += 1
            while ended < len(ends) and ends[ended] <= at:
                ended += 1
            active = started - ended
            anew = pid > 4100 and at >= restart.timestamp()
            earlier = bisect(starts, restart.timestamp()) if anew else 0
            found.append(
                {
                    "type": "worker-heartbeat",
                    "timestamp": at,
                    "hostname": worker,
                    "pid": pid + 500 if anew else pid,
                    "utcoffset": 0,
                    "active": active,
                    "processed": started - earlier,
                    "freq": 2.0,
                    "sw_ident": "py-celery",
                    "sw_ver": "5.7.0",
                    "sw_sys": "Linux",
                    "loadavg": [round(0.2 + 0.3 * active, 2), 0.3, 0.25],
                }
            )
            at += 60
    return found
