"""A beat that is stopped, and entries that are off or unknown."""

from __future__ import annotations

from typing import Any

from tests.runbooks.deployments import PLAIN, Full
from tests.waiting import wait_until

ENTRY = "cleanup-expired-sessions"


TYPO = "tests.mispelt"


def send_unknown_entry(d: Any) -> None:
    d.driver.do(
        "from django_celery_beat.models import IntervalSchedule, PeriodicTask\n"
        "often, _ = IntervalSchedule.objects.get_or_create(every=1, period='hours')\n"
        f"PeriodicTask.objects.update_or_create(name='planted', defaults=dict(task={TYPO!r}, interval=often, "
        "enabled=True))"
    )


def unknown_entry_is_off(d: Any) -> bool:
    return not d.driver.do(
        "from django_celery_beat.models import PeriodicTask\n"
        "value = PeriodicTask.objects.enabled().filter(name='planted').exists()"
    )


def remove_unknown_entry(d: Any) -> None:
    d.driver.do(
        "from django_celery_beat.models import PeriodicTask\nPeriodicTask.objects.filter(name='planted').delete()"
    )


def stop_beat(d: Any) -> None:
    d.stop("beat")
    if isinstance(d, Full):  # as it looks an hour later
        d.driver.do(
            "from datetime import UTC, datetime, timedelta\n"
            "from django_celery_beat.models import PeriodicTask\n"
            "PeriodicTask.objects.filter(interval__every=30, interval__period='minutes', enabled=True)"
            ".update(last_run_at=datetime.now(UTC) - timedelta(hours=1))"
        )


def start_beat(d: Full) -> None:
    d.start("beat")


def beat_sends(d: Any) -> bool:
    """An entry of every second, added to beat's own table, comes to the worker."""
    d.driver.do(
        "from django_celery_beat.models import IntervalSchedule, PeriodicTask\n"
        "often, _ = IntervalSchedule.objects.get_or_create(every=1, period='seconds')\n"
        f"PeriodicTask.objects.update_or_create(name='proof', defaults=dict(task={PLAIN!r}, interval=often, "
        "queue='hr', enabled=True))"
    )

    def runs() -> int:
        return int(d.inspect().stats()[d.node]["total"].get(PLAIN, 0))

    before = runs()
    try:
        return bool(wait_until(lambda: runs() > before, 30, "beat's dispatch to run"))
    finally:
        d.driver.do(
            "from django_celery_beat.models import PeriodicTask\n"
            "PeriodicTask.objects.filter(name='proof').delete()"
        )


def disable(d: Any) -> None:
    d.driver.do(
        "from django_celery_beat.models import PeriodicTask\n"
        f"row = PeriodicTask.objects.get(name={ENTRY!r})\nrow.enabled = False\nrow.save()"
    )


def entry_is_on(d: Any) -> bool:
    """Beat's own query of what it schedules."""
    return bool(
        d.driver.do(
            "from django_celery_beat.models import PeriodicTask\n"
            f"value = PeriodicTask.objects.enabled().filter(name={ENTRY!r}).exists()"
        )
    )
