"""Leases in real databases: one holder at a time, by the database's clock."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest

from tests.services.postgresql import postgresql
from zumolib.database import orm
from zumolib.schedule.leases import claim as claims
from zumolib.schedule.leases import standing
from zumolib.schedule.leases.claim import Claim

BEAT = "a beat"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def alias(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a database that has the table."""
    orm.migrate()
    if request.param == "sqlite":
        yield "default"
        return
    from django.db import connections

    from zumolib.schedule.leases.models import Lease

    with postgresql() as settings:
        engine = {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {}}
        connections.databases["leases"] = {**connections.databases["default"], **engine, **settings}
        with connections["leases"].schema_editor() as editor:
            editor.create_model(Lease)
        yield "leases"
        connections["leases"].close()
        del connections.databases["leases"]


@pytest.fixture
def leases(alias: str) -> Iterator[Any]:
    from zumolib.schedule.leases.models import Lease

    yield Lease.objects.using(alias)
    Lease.objects.using(alias).all().delete()


def test_one_of_many_that_ask_at_once_gets_it(leases: Any) -> None:
    from django.db import connections

    ids = [uuid.uuid4() for _ in range(12)]

    def take(holder: uuid.UUID) -> bool:
        try:
            return bool(leases.take(BEAT, holder, 30))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(take, ids))
    assert sum(got) == 1
    assert leases.look(BEAT).holder == ids[got.index(True)]


def test_it_is_kept_by_its_holder_alone_and_ends_by_the_clock_of_the_database(leases: Any) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    assert leases.take(BEAT, first, 30)
    assert leases.renew(BEAT, first, 30)
    assert not leases.renew(BEAT, second, 30)
    assert not leases.take(BEAT, second, 30)
    lease = leases.look(BEAT)
    assert 28 < (lease.until - lease.now).total_seconds() <= 30
    assert leases.renew(BEAT, first, -1)  # as if time had passed
    assert leases.take(BEAT, second, 30)
    assert not leases.renew(BEAT, first, 30), "it was taken"
    assert leases.take(BEAT, first, 30, of=second), "whose holder is known to be dead"


def test_it_is_told_how_it_stands(leases: Any, alias: str) -> None:
    from django.db import connections

    def state() -> standing.Standing | None:
        return standing.of(BEAT, connections[alias])

    assert state() is None
    holder = uuid.uuid4()
    now = datetime.now(UTC)
    starts = [(now - timedelta(seconds=s)).isoformat() for s in (500, 100, 10, 1)]
    leases.take(BEAT, holder, 30, host="box", pid=7, starts=starts, skipped={"a": "why"})
    lease = state()
    assert lease is not None
    assert (lease.state, lease.host, lease.pid, lease.starts) == (standing.HELD, "box", 7, 3)
    assert lease.skipped == {"a": "why"}
    assert lease.since is not None
    assert abs((lease.since - now).total_seconds()) < 60
    leases.renew(BEAT, holder, -1)
    assert state().state == standing.LAPSED  # type: ignore[union-attr]
    leases.give_back(BEAT, holder)
    assert state().state == standing.FREE  # type: ignore[union-attr]


def test_given_back_it_is_free_at_once_and_only_by_its_holder(leases: Any) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    assert leases.take(BEAT, first, 30)
    assert not leases.give_back(BEAT, second)
    assert leases.give_back(BEAT, first)
    assert leases.take(BEAT, second, 30)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock that also counts while a process is stopped, at a second of the test's choice."""
    at = [1_000.0]
    monkeypatch.setattr(claims, "uptime", lambda: at[0])
    return at


def test_a_claim_is_not_believed_longer_than_it_lasts(clock: list[float]) -> None:
    orm.migrate()
    from zumolib.schedule.leases.models import Lease

    mine, other = Claim("some work"), Claim("some work")
    assert not mine.holds
    assert mine.keep()
    assert not other.keep()
    clock[0] += 27
    assert mine.holds
    clock[0] += 2
    assert not mine.holds, "28 of the 30 s are over, nobody renewed it"
    assert mine.keep()
    assert len(Lease.objects.look("some work").starts) == 1
    mine.give_back(properly=False)
    assert not mine.holds
    assert other.keep()
    assert len(Lease.objects.look("some work").starts) == 2, "nobody asked the first one to end"
    other.give_back()
    assert Lease.objects.look("some work").starts == []


def test_a_claim_outlives_a_database_that_is_away_for_a_while(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    from zumolib.schedule.leases.models import Leases

    def away(*_: Any, **__: Any) -> bool:
        raise OperationalError("the server is away")

    orm.migrate()
    mine = Claim("other work")
    assert mine.keep()
    monkeypatch.setattr(Leases, "renew", away)
    clock[0] += 10
    assert mine.keep()
    clock[0] += 20
    assert not mine.keep()


def test_only_a_process_of_this_very_place_is_known_to_be_dead() -> None:
    from zumolib.schedule.leases.models import Lease

    with subprocess.Popen([sys.executable, "-c", "pass"]) as child:
        pass
    me, place = psutil.Process(), claims.place()
    cases = [
        ({"pid": child.pid, "place": place, "born": 1.0}, True),
        ({"pid": me.pid, "place": place, "born": me.create_time()}, False),
        ({"pid": me.pid, "place": place, "born": me.create_time() - 60}, True),  # its number was given again
        ({"pid": child.pid, "place": f"{place} elsewhere", "born": 1.0}, False),
    ]
    for fields, dead in cases:
        assert claims._dead(Lease(name="x", holder=uuid.uuid4(), **fields)) is dead, fields
