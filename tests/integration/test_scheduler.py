"""Beat's scheduler round by round: what cannot be sent is held back for longer and longer, and loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery

from zumolib.celery import configuration
from zumolib.conf import read
from zumolib.database import orm


@pytest.fixture
def app() -> Celery:
    made = Celery("some", set_as_current=False)
    made.conf.update(configuration(read()))
    made.conf.update(broker_url="memory://", broker_transport=None, broker_transport_options={})
    made.conf.update(result_backend="cache+memory://")

    @made.task(name="takes.nothing")
    def nothing() -> None:
        """Never run."""

    return made


@pytest.fixture
def row() -> Iterator[Any]:
    """An entry of each hour that was due a minute ago, with an argument that its task does not take."""
    orm.migrate()
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    from zumolib.schedule.leases.models import Lease

    PeriodicTask.objects.all().delete()
    Lease.objects.all().delete()
    made = PeriodicTask.objects.create(
        name="refused",
        task="takes.nothing",
        kwargs='{"surprise": 1}',
        one_off=True,
        interval=IntervalSchedule.objects.create(every=1, period="hours"),
        last_run_at=datetime.now(UTC) - timedelta(minutes=61),
    )
    yield made
    PeriodicTask.objects.all().delete()
    Lease.objects.all().delete()


def test_what_cannot_be_sent_is_tried_again_later_and_later_and_counts_for_nothing(
    app: Celery, row: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from zumolib.platform import scheduler as module
    from zumolib.schedule.leases import claim

    clock = [1_000.0]
    for place in (module, claim):
        monkeypatch.setattr(place, "uptime", lambda: clock[0])
    scheduler = module.DatabaseScheduler(app=app, lazy=True)
    monkeypatch.setattr(scheduler._stop, "pause", lambda seconds: None)

    def tries(after: float) -> int:
        """How often it was tried when so many seconds have passed."""
        clock[0] += after
        caplog.clear()
        with caplog.at_level("INFO"):
            for _ in range(5):
                scheduler._heap = None  # as if its time in the heap had come
                scheduler.tick()
        return sum("Sending due task refused" in record.getMessage() for record in caplog.records)

    assert tries(0) == 1
    assert "unexpected keyword argument" in scheduler._skipped["refused"]
    assert [tries(after) for after in (30, 29, 2)] == [0, 0, 1], "a minute later"
    assert [tries(after) for after in (61, 58, 2)] == [0, 0, 1], "two minutes later"
    stored = type(row).objects.get(name="refused")
    assert (stored.total_run_count, stored.last_run_at) == (0, row.last_run_at), "it was never sent"
    stored.kwargs = "{}"
    stored.save()
    assert tries(6) == 1, "it was mended"
    assert scheduler._skipped == {}
    scheduler.close()
    stored.refresh_from_db()
    assert (stored.enabled, stored.total_run_count) in ((True, 1), (False, 0)), "once, and beat turned it off"


@pytest.fixture
def due(row: Any) -> Any:
    """An entry of each hour that is due, and that its task takes."""
    row.kwargs, row.one_off = "{}", False
    row.save()
    return row


@pytest.mark.parametrize("every", [1, 100], ids=["written at once", "written later"])
@pytest.mark.parametrize("when", ["start", "another row is mended", "the database was away"])
def test_what_is_due_is_sent_once_whatever_happens_then(
    app: Celery,
    due: Any,
    every: int,
    when: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from django.db import OperationalError
    from django_celery_beat.models import PeriodicTasks

    from zumolib.platform.scheduler import DatabaseEntry, DatabaseScheduler

    app.conf.beat_sync_every = every
    kind = type(due)
    if when == "another row is mended":
        kind.objects.create(name="bad", task="takes.nothing", kwargs="[", interval=due.interval)
    scheduler = DatabaseScheduler(app=app, lazy=True)
    monkeypatch.setattr(scheduler._stop, "pause", lambda seconds: None)

    def away(entry: DatabaseEntry) -> None:
        raise OperationalError("database is locked")

    with caplog.at_level("INFO"):
        if when == "the database was away":
            with monkeypatch.context() as patch:
                patch.setattr(DatabaseEntry, "save", away)
                for _ in range(3):
                    scheduler.tick()
                scheduler.sync()
                PeriodicTasks.update_changed()
                for _ in range(3):
                    scheduler.tick()
        for _ in range(3):
            scheduler.tick()
        if when == "another row is mended":
            assert scheduler._skipped.keys() == {"bad"}
            kind.objects.filter(name="bad").update(kwargs="{}", last_run_at=datetime.now(UTC))
            scheduler._looked = float("-inf")
        for _ in range(5):
            scheduler.tick()
    scheduler.close()
    sent = [record for record in caplog.records if "Sending due task refused" in record.getMessage()]
    assert len(sent) == 1
    due.refresh_from_db()
    assert due.total_run_count == 1
