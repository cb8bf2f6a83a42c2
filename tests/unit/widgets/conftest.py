from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery

from zumolib import conf
from zumolib.database import orm


@pytest.fixture(scope="session", autouse=True)
def database() -> None:
    """Receipts and the schedule in a database of the tests' own home."""
    orm.migrate()


@pytest.fixture
def app() -> Iterator[Celery]:
    """An app whose broker is never reached, with some tasks."""
    made = Celery("widgets", broker="memory://", backend="cache+memory://", set_as_current=False)
    made.conf.update(task_default_queue="default", task_queues=None)

    @made.task(name="shop.pay", shared=False)
    def pay(customer: int, amount: float, *, note: str = "none", dry: bool = False) -> None:
        """Take money."""

    @made.task(name="shop.many", shared=False)
    def many(first: str, *others: int, **named: str) -> None:
        """Take what comes."""

    @made.task(name="shop.nothing", shared=False)
    def nothing() -> None:
        """Take nothing."""

    yield made
    made.close()


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings that refuse every action."""
    monkeypatch.setenv("ZUMO_READ_ONLY", "true")
    conf.conf.cache_clear()
    yield
    monkeypatch.undo()
    conf.conf.cache_clear()
