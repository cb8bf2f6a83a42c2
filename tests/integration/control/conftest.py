"""Two real workers of the platform's app on each broker, kept for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from celery import Celery

from tests.integration.workers import make_app, worker
from zumolib.database import orm
from zumolib.inspection import fleet
from zumolib.inspection.fleet import Fleet

ONE, TWO = "one@here", "two@here"


@dataclass(frozen=True)
class System:
    """A Celery system to act on."""

    app: Celery
    broker: str  # valkey or rabbitmq
    url: str
    results: str
    nodes: tuple[str, ...] = (ONE, TWO)

    def scheduled(self) -> dict[str, str]:
        """When each task is due that a worker holds, by its id."""
        return {
            item["request"]["id"]: item["eta"] for items in self.ask("scheduled").values() for item in items
        }

    @property
    def seen(self) -> Fleet:
        """Its workers now."""
        return fleet.snapshot(self.app, nodes=self.nodes)

    def ask(self, question: str, *arguments: Any) -> dict[str, Any]:
        """Celery's own inspect, so that an effect is not seen by our own eyes."""
        found = getattr(self.app.control.inspect(destination=list(self.nodes), timeout=5), question)(
            *arguments
        )
        assert set(found or ()) == set(self.nodes), f"{question}: only {list(found or ())} replied"
        return dict(found)

    def state(self, task_id: str) -> str:
        """What Celery's result backend says of a task."""
        return str(self.app.AsyncResult(task_id).state)


@pytest.fixture(scope="package", autouse=True)
def database() -> None:
    """Tables for receipts and the schedule."""
    orm.migrate()


@pytest.fixture(scope="package")
def every_system(
    request: pytest.FixtureRequest, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], System]]:
    """Starts the system on the broker that is asked for; both stay until the last test of this folder."""
    with ExitStack() as running:

        @cache
        def on(broker: str) -> System:
            url = f"{valkey_url}/6" if broker == "valkey" else request.getfixturevalue("rabbitmq_url")
            app = make_app(url, valkey_url)
            app.loader.import_default_modules()
            app.control.purge()
            log = tmp_path_factory.mktemp("workers")
            running.enter_context(worker(url, valkey_url, log / "one.log", name="one"))
            running.enter_context(
                worker(
                    url,
                    valkey_url,
                    log / "two.log",
                    name="two",
                    queues=("hr", "ats"),
                    options=("--autoscale=3,1",),
                )
            )
            return System(app, broker, url, f"{valkey_url}/1")

        yield on


@pytest.fixture(scope="package", params=["valkey", "rabbitmq"])
def system(request: pytest.FixtureRequest, every_system: Callable[[str], System]) -> System:
    """A worker that consumes from everything, and one with autoscaling that shares two of the queues."""
    return every_system(request.param)
