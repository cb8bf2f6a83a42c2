"""Troubles against which the first cure does not help."""

from __future__ import annotations

import time
from typing import Any

import psutil

from tests.runbooks.deployments import Embedded
from tests.waiting import wait_until

HOLDING = "tests.holding"
MISSED = "planted-daily"


def hold_all(d: Embedded) -> list[str]:
    """Every process of the worker runs the same endless task, and more of it waits."""
    # What runs for a second counts as long, and the new processes are looked at soon.
    d.driver.do("from zumolib.checks import workers\nworkers.LONG_SECONDS = 1.0")
    d.driver.do("from zumolib.control import relief\nrelief.HOLD_SECONDS = 1.0")
    processes = len(d.inspect().stats()[d.node]["pool"]["processes"])
    ids = [d.app.send_task(HOLDING, queue="hr").id for _ in range(processes + 12)]
    wait_until(lambda: len(_running(d, 1.5)) == processes, 20, "every process to be held")
    return ids


def _running(d: Embedded, seconds: float) -> list[str]:
    """Ids of what has run for so long."""
    told: list[dict[str, Any]] = d.inspect().active()[d.node]
    return [item["id"] for item in told if time.time() - (item["time_start"] or time.time()) > seconds]


def let_go(d: Embedded, ids: list[str]) -> None:
    """End all of them with their worker, which supervisor starts again in its own size: it drops them."""
    d.app.control.revoke(ids, destination=[d.node], reply=True, timeout=2.0)
    pid = d.inspect().stats()[d.node]["pid"]
    psutil.Process(pid).kill()
    d.driver.do("from zumolib.checks import workers\nworkers.LONG_SECONDS = 60.0")
    d.driver.do("from zumolib.control import relief\nrelief.HOLD_SECONDS = 5.0")

    def fresh() -> bool:
        told = (d.inspect().stats() or {}).get(d.node)
        return bool(told and told["pid"] != pid and not d.inspect().active()[d.node])

    wait_until(fresh, 60, "the worker to be back without them")


def miss_a_day(d: Embedded) -> None:
    """A daily entry was due three hours ago; a beat that runs since before that knows nothing of it."""
    log = d.stack.home / "log" / "beat.log"
    reads = log.read_text().count("Schedule changed")
    d.driver.do("from zumolib.runbooks import bench\nbench.SETTLE_SECONDS = 8.0")
    d.driver.do(
        "from datetime import UTC, datetime, timedelta\n"
        "from django_celery_beat.models import CrontabSchedule, PeriodicTask\n"
        "due = datetime.now(UTC) - timedelta(hours=3)\n"
        "daily, _ = CrontabSchedule.objects.get_or_create(minute=str(due.minute), hour=str(due.hour), "
        "day_of_week='*', day_of_month='*', month_of_year='*', timezone='UTC')\n"
        "PeriodicTask.objects.update_or_create(name='planted-daily', defaults=dict("
        "task='zumodra.celery.debug_task', crontab=daily, enabled=True))"
    )
    wait_until(lambda: log.read_text().count("Schedule changed") > reads, 30, "beat to have read it")
    miss_it(d)


def miss_it(d: Embedded) -> None:
    """Its last dispatch was the day before, in a way of which beat is not told."""
    d.driver.do(
        "from datetime import UTC, datetime, timedelta\n"
        "from django_celery_beat.models import PeriodicTask\n"
        "PeriodicTask.objects.filter(name='planted-daily').update("
        "last_run_at=datetime.now(UTC) - timedelta(days=1, hours=3, minutes=1))"
    )


def forget_the_day(d: Embedded) -> None:
    d.driver.do("from zumolib.runbooks import bench\nbench.SETTLE_SECONDS = 40.0")
    d.driver.do(
        "from django_celery_beat.models import PeriodicTask\n"
        f"PeriodicTask.objects.filter(name={MISSED!r}).delete()"
    )


def add_clean_up(d: Embedded) -> None:
    """An entry of a task that Celery has in every worker."""
    d.driver.do(
        "from django_celery_beat.models import IntervalSchedule, PeriodicTask\n"
        "often, _ = IntervalSchedule.objects.get_or_create(every=1, period='days')\n"
        "PeriodicTask.objects.update_or_create(name='planted', defaults=dict(task='celery.backend_cleanup', "
        "interval=often, enabled=True))"
    )
