"""Real beats on one database: bad rows beside sound ones, and two beats of which one sends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from tests.bad_rows import BAD
from tests.services.ports import free_port
from tests.services.processes import process
from tests.services.valkey import valkey
from tests.waiting import wait_until

PLANT = "from zumolib.database import orm; orm.ready(); from tests.bad_rows import plant; plant()"


class Site:
    """A database and a broker, beats that start on them, and what those sent."""

    def __init__(self, folder: Path, database: Path, broker: str, stack: ExitStack) -> None:
        self.folder, self.database, self.broker, self.stack = folder, database, broker, stack
        self.results = ""  # the broker's server, if nothing else is said
        self.client = redis.Redis.from_url(broker)

    def environment(self, home: str) -> dict[str, str]:
        return {
            "ZUMO_HOME": str(self.folder / home),
            "DATABASE_URL": f"sqlite:///{self.database}",
            "CELERY_BROKER_URL": self.broker,
            "CELERY_RESULT_BACKEND": self.results or self.broker,
            "PYTHONPATH": os.getcwd(),
        }

    def beat(self, home: str) -> subprocess.Popen[bytes]:
        (self.folder / home).mkdir(exist_ok=True)
        command = ["celery", "-A", "zumolib", "beat", "--loglevel=INFO", "--scheduler=tests.brief:Brief"]
        return self.stack.enter_context(process(command, self.log(home), self.environment(home)))

    def run(self, script: str) -> None:
        with process(["tests.runscript", script], self.log("script"), self.environment("script")) as child:
            assert child.wait(60) == 0, self.log("script").read_text()

    def log(self, home: str) -> Path:
        return self.folder / f"{home}.log"

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.database, timeout=30) as connection:
            return connection.execute(statement, values).fetchall()

    def sent(self) -> Counter[str]:
        """How often each entry was sent; no worker takes anything away."""
        found: Counter[str] = Counter()
        for key in self.client.keys("default*"):
            if self.client.type(key) == b"list":
                for message in self.client.lrange(key, 0, -1):
                    found[json.loads(message)["headers"]["periodic_task_name"]] += 1
        return found

    def skipped(self) -> dict[str, str]:
        """What beat leaves out, and why, as it says."""
        [(found,)] = self.sql("SELECT skipped FROM leases_lease")
        return dict(json.loads(str(found)))

    def holder(self) -> int | None:
        """The process that holds the lease."""
        found = self.sql("SELECT pid FROM leases_lease WHERE holder IS NOT NULL")
        return int(str(found[0][0])) if found else None


@pytest.fixture
def site(tmp_path: Path, migrated: Path) -> Iterator[Site]:
    database = tmp_path / "zumodra.sqlite3"
    shutil.copy(migrated, database)
    with ExitStack() as stack:
        url = stack.enter_context(valkey())
        made = Site(tmp_path, database, url, stack)
        made.sql("DELETE FROM django_celery_beat_periodictask")
        yield made


def test_bad_rows_are_left_out_and_said_once_and_the_sound_ones_are_sent(site: Site) -> None:
    site.run(PLANT)
    # What only sending shows: the task takes no such argument.
    site.sql(
        "INSERT INTO django_celery_beat_periodictask (name, task, args, kwargs, headers, enabled, one_off, "
        "total_run_count, date_changed, description, interval_id) "
        "SELECT 'refused', task, args, '{\"surprise\": 1}', headers, 1, 0, 0, date_changed, '', interval_id "
        "FROM django_celery_beat_periodictask WHERE name = 'good'"
    )
    beat = site.beat("one")
    wait_until(lambda: site.sent()["good"] >= 3, 60, "the entry of every second is sent")
    assert beat.poll() is None
    sent = site.sent()
    assert set(sent) <= {"good", "every microsecond", "clock past"}, "none of the bad ones"
    assert sent["clock past"] == 1
    told = site.skipped()
    assert set(told) >= set(BAD)
    for name, part in BAD.items():
        assert part in told[name]
    wait_until(lambda: "refused" in site.skipped(), 10, "it could not be sent, and says so")
    assert "unexpected keyword argument 'surprise'" in site.skipped()["refused"]
    # Mended without a word to beat, by SQL.
    site.sql("UPDATE django_celery_beat_periodictask SET queue = NULL WHERE name = 'lost queue'")
    site.sql("UPDATE django_celery_beat_periodictask SET kwargs = '{}' WHERE name = 'refused'")
    wait_until(lambda: site.sent()["lost queue"] >= 1, 20, "the mended row is sent")
    wait_until(lambda: site.sent()["refused"] >= 1, 20, "and so is the other")
    wait_until(lambda: set(site.skipped()) == set(BAD) - {"lost queue"}, 10, "neither is left out now")
    log = site.log("one").read_text()
    for name in ("refused", *BAD):
        assert log.count(f"Entry {name!r} is left out") == 1, name
    assert "Traceback" not in log
    began = time.monotonic()
    beat.terminate()
    assert beat.wait(5) == 0, f"{time.monotonic() - began:.1f} s"


def test_an_entry_that_is_always_due_does_not_keep_beat_from_ending(site: Site) -> None:
    site.run(
        "from zumolib.database import orm; orm.ready(); from django_celery_beat.models import *; "
        "every = IntervalSchedule.objects.create(every=1, period='microseconds'); "
        "[PeriodicTask.objects.create(name=name, task='zumodra.celery.debug_task', interval=every) "
        "for name in ('good', 'too')]"
    )
    beat = site.beat("one")
    wait_until(lambda: min(site.sent()["good"], site.sent()["too"]) >= 3, 60, "both are sent")
    beat.terminate()
    assert beat.wait(5) == 0
    assert not site.holder()


def test_a_result_backend_that_is_away_holds_up_no_dispatch(site: Site) -> None:
    site.run(
        "from zumolib.database import orm; orm.ready(); from django_celery_beat.models import *; "
        "PeriodicTask.objects.create(name='good', task='zumodra.celery.debug_task', "
        "interval=IntervalSchedule.objects.create(every=1, period='seconds'))"
    )
    site.results = f"redis://127.0.0.1:{free_port()}/0"
    site.beat("one")
    wait_until(lambda: site.sent()["good"] >= 4, 18, "it is sent each second")
    [message] = site.client.lrange(str(site.client.keys("default*")[0].decode()), 0, 0)
    assert json.loads(message)["headers"]["ignore_result"] is False, "workers store the result all the same"


def test_a_beat_whose_broker_is_gone_ends_all_the_same(site: Site) -> None:
    site.run(
        "from zumolib.database import orm; orm.ready(); from django_celery_beat.models import *; "
        "PeriodicTask.objects.create(name='good', task='zumodra.celery.debug_task', "
        "interval=IntervalSchedule.objects.create(every=1, period='seconds'))"
    )
    site.broker = f"redis://127.0.0.1:{free_port()}/0"
    beat = site.beat("one")
    wait_until(lambda: "Connection error" in site.log("one").read_text(), 60, "it looks for its broker")
    beat.terminate()
    assert beat.wait(5) == 0
    assert not site.holder()


def test_of_two_beats_one_sends_and_the_other_follows(site: Site) -> None:
    site.run(
        "from zumolib.database import orm; orm.ready(); from django_celery_beat.models import *; "
        "PeriodicTask.objects.create(name='good', task='zumodra.celery.debug_task', "
        "interval=IntervalSchedule.objects.create(every=1, period='seconds'))"
    )
    first = site.beat("one")
    wait_until(lambda: site.sent()["good"] >= 1, 60, "the first sends")
    second = site.beat("two")
    said = f"process {first.pid} on "
    wait_until(lambda: said in site.log("two").read_text(), 30, "the second says who holds the lease")
    count = site.sent()["good"]
    began = time.monotonic()
    wait_until(lambda: site.sent()["good"] >= count + 4, 30, "the first goes on")
    assert site.sent()["good"] - count <= time.monotonic() - began + 2, "one beat sends"
    assert site.holder() == first.pid

    # Stopped for longer than its lease: the other takes over, and it sends nothing when it wakes up.
    first.send_signal(signal.SIGSTOP)
    wait_until(lambda: site.holder() == second.pid, 30, "the second takes over")
    wait_until(lambda: "holds the lease and sends" in site.log("two").read_text(), 10, "it says so")
    mine = site.log("one").read_text().count("Sending due task")
    first.send_signal(signal.SIGCONT)
    wait_until(lambda: "lost the lease" in site.log("one").read_text(), 20, "the first says so")
    assert site.log("one").read_text().count("Sending due task") == mine
    assert site.holder() == second.pid

    # Ended properly, the lease is free at once; killed on this machine, too.
    second.terminate()
    assert second.wait(5) == 0
    wait_until(lambda: site.holder() == first.pid, 6, "the first takes over at once")
    first.kill()
    first.wait(5)
    third = site.beat("three")
    wait_until(lambda: site.holder() == third.pid, 20, "a dead process of this machine is known to be dead")
