"""Workers that are killed again and again while every entry's task runs end in the state of an undisturbed run.

All four runs begin at one saved state of one stack and work for one fixed moment. The entries are sent in two
waves: those whose result depends on whether another came before come second (:data:`LATER`; found by running
every two entries that share a table in both orders). Within a wave the order is left to chance.

A letter that the mail server took in the very instant in which its sender was killed, before the sender could
note it anywhere, reaches the server once more, under the same Message-ID. So letters are compared by that id,
and those that came twice are at most as many as there were kills. A charge has the provider's idempotency key
for this; none is doubled.

Celery keeps rate limits in the worker's memory: a task that may run once an hour and was killed in its run
would wait for an hour. The worker is killed as a whole then, as the supervisor's restart begins with none.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from kombu.utils.json import loads

from tests.acceptance.business import Business, differences
from tests.acceptance.stack import Stack
from tests.waiting import wait_until
from zumolib.platform import drill, installation
from zumolib.platform.queues import RATE_LIMITS
from zumolib.stack import probes

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
SCALE = 0.2
SEEDS = [int(seed) for seed in os.environ.get("CHAOS_SEEDS", "1,2,3").split(",")]
PAUSES = 0.1, 0.8  # seconds between kills, at least and at most
STARTING = 4.0  # seconds that a worker is left to start in; Celery gives up when its first processes die
PARENT = 0.15  # share of the kills that end the whole worker
KILLS = 12  # of one round; after them the work is left to end
PATIENCE = 90.0  # seconds for one wave
KEPT = ("zumodra.sqlite3", "provider.sqlite3", "backups", "archives", "tmp", "mail")
NO_MOMENT = {"zumodra.celery.health_check"}
LONG = "generate-reports"  # takes ten seconds, so it begins first and nothing waits for it
# Entries whose result depends on whether another ran before: what they share, and the other.
LATER = {
    "backup-rotation-weekly": "one lease with backup-database",
    "cleanup-audit-logs": "one lease and the audit entries, cleanup-old-audit-logs",
    "expire-trial-tenants": "tenants; the digest and the summary of a tenant's users",
    "expire-job-postings": "open jobs; usage, limits, companies' figures and integrity count them",
    "auto-reject-stale-applications": "applications; reminders, scores and statistics look at their stage",
    "process-public-applications": "new applications; scores, usage and statistics count them",
    "process-escrow-releases": "contracts, which update-contract-statuses completes",
    "update-subscription-status": "payments, which two entries retry",
    "update-ip-reputation": "blocks, which analyze-failed-logins sets",
    "update-conversation-stats": "messages, which cleanup-old-messages archives",
    "send-unread-notifications": "messages, whose delivery update-delivery-status decides",
}


@dataclass
class Site:
    """A stack that is brought back to its saved state before each run."""

    stack: Stack
    saved: Path
    known: dict[str, int] = field(default_factory=dict)

    def save(self) -> None:
        """Keep the state as it is now."""
        self.rest()
        for name in KEPT:
            _copy(self.stack.home / name, self.saved / name)
        self.known = Business(self.stack.home).known

    def restore(self) -> None:
        """Bring the saved state back, with empty queues and no marks of the past."""
        self.rest()
        for name in KEPT:
            _copy(self.saved / name, self.stack.home / name)
        with redis.Redis.from_url(self.stack.plan().settings["CELERY_BROKER_URL"]) as client:
            client.flushall()
        for name in ("mail", "provider", "worker"):
            self.stack.start_service(name)
        plan = self.stack.plan()
        wait_until(lambda: probes.mail(plan) and probes.provider(plan), 30, "mail and provider")
        wait_until(lambda: probes.worker(self.stack.app), 30, "the worker")

    def rest(self) -> None:
        """Stop what writes, so that its files can be read."""
        self.stack.stop_services("worker", "provider", "mail")
        for name in ("zumodra.sqlite3", "provider.sqlite3"):
            with closing(sqlite3.connect(self.stack.home / name)) as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def business(self) -> Business:
        """The state as the run left it."""
        self.rest()
        return Business(self.stack.home, self.known)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        return
    for leftover in (f"{target}-wal", f"{target}-shm"):
        Path(leftover).unlink(missing_ok=True)
    shutil.copyfile(source, target)


@pytest.fixture(scope="module")
def site(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    stack = Stack(
        tmp_path_factory.mktemp("chaos"),
        {"CELERY_WORKER_CONCURRENCY": "2", "ZUMO_TLS_DOMAINS": "127.0.0.1:1"},
    ).with_database(migrated)
    stack.up()
    stack.stop_services("beat", "recorder", "jupyter")
    load = f"from tasks import demo; made = demo.load(scale={SCALE}, now={NOW.isoformat()!r})"
    assert stack.python(
        f"import json; from zumolib.database import orm; orm.ready(); {load}; print(json.dumps(made['loaded']))"
    )
    made = Site(stack, tmp_path_factory.mktemp("saved"))
    made.save()
    yield made
    stack.zumo("down")


@pytest.fixture(scope="module")
def undisturbed(site: Site) -> Business:
    """The state that a run ends in when nothing goes wrong."""
    site.restore()
    _work(site, lambda _: None)
    return site.business()


def test_the_undisturbed_run_did_the_work(undisturbed: Business, site: Site) -> None:
    begun = Business(site.saved, site.known)
    changed = differences(begun, undisturbed)
    assert {"loginsession", "auditentry", "backup", "payment", "letters", "charges", "files"} <= set(changed)
    assert set(undisturbed.letters.values()) == {1}
    assert undisturbed.imbalance() == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_workers_change_nothing(seed: int, undisturbed: Business, site: Site) -> None:
    site.restore()
    killer = Killer(site.stack, random.Random(seed))
    _work(site, killer)
    after = site.business()
    assert killer.kills, "the work was done before anything was killed"
    assert differences(undisturbed, after) == {}
    assert sum(after.letters.values()) - len(after.letters) <= len(killer.kills)
    assert after.imbalance() == {}


@dataclass
class Killer:
    """Ends processes of the worker with SIGKILL at random moments."""

    stack: Stack
    dice: random.Random
    kills: list[str] = field(default_factory=list)
    _next: float = 0.0

    def __call__(self, waiting: dict[str, str]) -> None:
        """Kill if it is time for it; `waiting` has the tasks that have not ended, by their id."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self.dice.uniform(*PAUSES)
        if set(waiting.values()) <= RATE_LIMITS.keys():
            if waiting.keys() <= drill.held_until(self.stack.app).keys():
                self._kill("worker")
        elif len(self.kills) < KILLS:
            self._kill("worker" if self.dice.random() < PARENT else "child")

    def _kill(self, what: str) -> None:
        pid = self.stack.service("worker").pid
        if pid is None:
            return  # it is being started again
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            parent = psutil.Process(pid)
            children = sorted(parent.children(), key=lambda child: child.pid)
            if children and time.time() - parent.create_time() > STARTING:
                victim = parent if what == "worker" else self.dice.choice(children)
                os.kill(victim.pid, signal.SIGKILL)
                self.kills.append(what)


def _work(site: Site, disturb: Callable[[dict[str, str]], None]) -> None:
    """Have every entry's task done, disturbing the work meanwhile."""
    long, *waves = _waves(site)
    ids = _send(site, long)
    for wave in waves:
        _until_done(site, _send(site, wave), disturb)
    _until_done(site, ids, disturb)


def _waves(site: Site) -> list[list[dict[str, Any]]]:
    known = installation.known_tasks(site.stack.app)
    rows = [row for row in installation.code_rows(site.stack.app) if row["task"] in known]
    return [
        [row for row in rows if row["name"] == LONG],
        [row for row in rows if row["name"] not in {LONG, *LATER}],
        [row for row in rows if row["name"] in LATER],
    ]


def _send(site: Site, wave: list[dict[str, Any]]) -> dict[str, str]:
    """Send the entries' tasks for the fixed moment; their ids and names."""
    moment = {"now": NOW.isoformat()}
    return {
        drill.send(
            site.stack.app,
            row | {"kwargs": row["kwargs"] | ({} if row["task"] in NO_MOMENT else moment)},
        ).id: row["task"]
        for row in wave
    }


def _until_done(site: Site, ids: dict[str, str], disturb: Callable[[dict[str, str]], None]) -> None:
    """Wait until every task has succeeded and its message is gone, disturbing the work meanwhile.

    A worker that is killed between a task's success and the acknowledgement is given the message again:
    the task would run once more beside those of the next wave.
    """
    waiting = dict(ids)

    def done() -> bool:
        delivered = ids.keys() - _at_the_broker(site)
        waiting.clear()
        for task_id in ids:
            result = site.stack.app.AsyncResult(task_id)
            if result.ready():
                assert result.state == "SUCCESS", (ids[task_id], result.result)
            if not result.ready() or task_id not in delivered:
                waiting[task_id] = ids[task_id]
        if waiting:
            disturb(waiting)
        return not waiting

    try:
        wait_until(done, PATIENCE, "all tasks to succeed")
    except AssertionError as error:
        raise AssertionError(f"{error}; left: {sorted(waiting.values())}") from error


def _at_the_broker(site: Site) -> set[str]:
    """Ids of the tasks whose message the broker still has, waiting or unacknowledged."""
    with site.stack.app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        messages = [loads(note.message.decode()) for note in channel.notes().values()]
        with channel.conn_or_acquire() as client:
            for queue, step in product(site.stack.app.amqp.queues, channel.priority_steps):
                found = client.lrange(channel._q_for_pri(queue, step), 0, -1)
                messages += [loads(item.decode()) for item in found]
            messages += [loads(noted.decode())[0] for noted in client.hvals(channel.unacked_key)]
    return {message["headers"]["id"] for message in messages}
