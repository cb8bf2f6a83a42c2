"""What the lease of beat tells the checks: one that stands, one that lapsed, one that starts again and again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from zumolib.celery import app
from zumolib.checks import BY_ID, Scene, diagnose
from zumolib.checks.schedule import LEASE
from zumolib.database import orm
from zumolib.frames import health
from zumolib.history import History

RUNS = {"beat": "RUNNING"}


@pytest.fixture
def leases() -> Iterator[Any]:
    orm.migrate()
    from django_celery_beat.models import PeriodicTask

    from zumolib.schedule.leases.models import Lease

    PeriodicTask.objects.all().delete()
    Lease.objects.all().delete()
    yield Lease.objects
    Lease.objects.all().delete()


def saw(services: dict[str, str] | None = None) -> list[str]:
    diagnosis = diagnose(Scene(app, services=services), [BY_ID["beat-stopped"]])
    return [finding.saw for finding in diagnosis.findings]


def take(leases: Any, *, seconds: float = 30, starts: tuple[float, ...] = (100,), **about: Any) -> uuid.UUID:
    """As a beat does that was started so many seconds ago, the last time now."""
    now = datetime.now(UTC)
    holder = uuid.uuid4()
    moments = [(now - timedelta(seconds=before)).isoformat() for before in starts]
    assert leases.take(LEASE, holder, seconds, host="box", pid=7, starts=moments, **about)
    return holder


def test_a_beat_that_holds_its_lease_works(leases: Any) -> None:
    take(leases)
    assert saw(RUNS) == []
    assert saw() == []


def test_a_process_that_runs_and_does_not_renew_its_lease_does_not_work(leases: Any) -> None:
    take(leases, seconds=-1)
    [text] = saw(RUNS)
    assert "does not work, though its process runs" in text
    assert "process 7 on box has not renewed it since" in text


def test_a_lease_that_was_given_back_is_nobodys(leases: Any) -> None:
    leases.give_back(LEASE, take(leases))
    [text] = saw(RUNS)
    assert "gave it back" in text


def test_a_beat_that_is_started_again_and_again_is_none_that_works(leases: Any) -> None:
    take(leases, starts=(3_600, 90, 60, 30, 1))
    [text] = saw(RUNS)
    assert "started 4 times in the last 2 minutes" in text


def test_the_health_of_beat_is_what_its_lease_says(leases: Any, tmp_path: Path) -> None:
    def beat() -> tuple[str, str]:
        found = health.beat(History(tmp_path), datetime.now(UTC), app)
        return found.state, found.detail

    assert beat()[0] == "unknown", "nothing was due, and nobody took a lease"
    holder = take(leases, starts=(90, 60, 30))
    assert beat() == ("down", "it was started 3 times in the last 2 minutes")
    leases.renew(LEASE, holder, -1, starts=[])
    assert beat()[0] == "down"
    assert "has not renewed it" in beat()[1]
    leases.renew(LEASE, holder, 30)
    assert beat()[0] == "unknown"


def test_without_any_lease_nothing_is_concluded(leases: Any) -> None:
    assert saw(RUNS) == []


def test_a_row_that_only_sending_shows_to_be_bad_is_named_by_beat(leases: Any) -> None:
    from django_celery_beat.models import CrontabSchedule, PeriodicTask

    hourly = CrontabSchedule.objects.create(minute="0", timezone="UTC")
    PeriodicTask.objects.create(name="refused", task="zumodra.celery.debug_task", crontab=hourly)
    take(leases, skipped={"refused": "it could not be sent: TypeError"})
    findings = diagnose(Scene(app), [BY_ID["entry-bad"]]).findings
    assert [(f.subject, "TypeError" in f.saw) for f in findings] == [("refused", True)]
    PeriodicTask.objects.all().delete()
