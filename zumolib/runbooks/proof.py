"""That a trouble is over, as Celery and the broker themselves say: nothing here is asked through our checks.

Each gives one sentence.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psutil
import redis

from zumolib.checks import CannotTell, schedule
from zumolib.database import orm
from zumolib.deployment import ownership
from zumolib.figures.words import counted
from zumolib.schedule import rows

if TYPE_CHECKING:
    from zumolib.runbooks.bench import Bench

ANSWER_SECONDS = 1.5
LOOP_SECONDS = 15.0  # beat looks at its schedule every 5 s
MB = 2**20


def ping(bench: Bench) -> str:
    """Who answers ``celery inspect ping``."""
    return _asked(
        bench, lambda celery: f"{counted(len(celery.ping() or {}), 'worker')} answered Celery's ping"
    )


def queues(bench: Bench) -> str:
    """What ``celery inspect active_queues`` tells of the app's queues."""

    def ask(celery: Any) -> str:
        told = celery.active_queues() or {}
        taken = {queue["name"] for listed in told.values() for queue in listed}
        known = list(bench.app.amqp.queues)
        left = [queue for queue in known if queue not in taken]
        return f"{len(known) - len(left)} of {len(known)} queues are consumed" + (
            f"; not: {', '.join(left)}" if left else ""
        )

    return _asked(bench, ask)


def due(bench: Bench) -> str:
    """How many entries beat's own scheduler class holds for due, after giving beat time for a round."""
    orm.ready()
    try:
        schedule.require_known(bench.scene())
    except CannotTell as reason:
        return f"inconclusive: {reason}"
    from django.db import close_old_connections
    from django_celery_beat.models import PeriodicTask
    from django_celery_beat.schedulers import ModelEntry

    end = time.monotonic() + LOOP_SECONDS
    while True:
        close_old_connections()
        sound = [row.model for row in rows.read(bench.app) if row.enabled and not row.faults]
        waiting = [row for row in sound if ModelEntry(row, app=bench.app).is_due().is_due]
        if not waiting or time.monotonic() > end:
            off = PeriodicTask.objects.filter(enabled=False).count()
            bad = PeriodicTask.objects.filter(enabled=True).count() - len(sound)
            said = f"{counted(len(waiting), 'entry', 'entries')} due and not dispatched; {counted(off, 'entry', 'entries')} disabled"
            return said + (f"; {counted(bad, 'entry', 'entries')} that cannot be sent" if bad else "")
        time.sleep(0.5)


def processes(bench: Bench) -> str:
    """How the processes that ``celery inspect stats`` lists compare with their parent, by the kernel's count."""

    def ask(celery: Any) -> str:
        larger = total = 0
        for told in (celery.stats() or {}).values():
            parent = psutil.Process(told["pid"]).memory_info().rss
            for pid in told["pool"]["processes"]:
                total += 1
                larger += psutil.Process(pid).memory_info().rss > parent + 250 * MB
        return f"{larger} of {counted(total, 'process', 'processes')} much larger than their parent"

    try:
        return _asked(bench, ask)
    except psutil.Error:
        return "the processes are on another machine, or just being replaced"


def store(bench: Bench) -> str:
    """Whether Celery's own backend stores a result and reads it again, and for how long it is kept.

    Not in another app's: whoever only looks stores nothing there, not even for a moment.
    """
    if not ownership.is_ours(bench.app):
        return "inconclusive: no result is stored in another app's backend to see whether it is kept"
    backend, id_ = bench.app.backend, str(uuid4())
    try:
        backend.store_result(id_, "kept", "SUCCESS")
        same = backend.get_result(id_) == "kept"
        left = backend.client.ttl(backend.get_key_for_task(id_))
        backend.forget(id_)
    except redis.exceptions.RedisError as error:
        return f"a result could not be stored: {str(error).splitlines()[0]}"
    kept = f"it is kept for {left / 3_600:.0f} h" if left > 0 else "it is kept for ever"
    return f"a result was stored and read again; {kept}" if same else "a stored result was not read again"


def _asked(bench: Bench, ask: Callable[[Any], str]) -> str:
    """Put Celery's own ``inspect`` a question, over a connection of its own.

    Celery would try for ever where the broker is gone, and fail once on a pooled connection from before.
    Everybody is asked; the wait ends when as many answered as did before.
    """
    if bench.scene().broker.state != "ok":
        return "the broker does not answer"
    with bench.app.connection_for_write(connect_timeout=ANSWER_SECONDS) as connection:
        celery = bench.app.control.inspect(
            timeout=ANSWER_SECONDS, connection=connection, limit=bench.last.replied
        )
        return ask(celery)
