"""The dispatcher on a broker that lives in memory: entries, and events held over a failure."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery

from zumolib.recorder import dispatcher


@pytest.fixture
def app() -> Celery:
    return Celery("dispatching", broker="memory://", events="zumolib.dispatch:Events", set_as_current=False)


def published(app: Celery, failures: int = 0) -> tuple[Any, list[dict[str, Any]]]:
    """A producer that fails at first, and the events that it then publishes."""
    producer = app.amqp.Producer(app.connection_for_write())
    found: list[dict[str, Any]] = []
    left = [failures]

    def publish(body: Any, **_: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise OSError("the broker is away")
        if isinstance(body, dict):
            found.append(body)

    producer.publish = publish
    return producer, found


def test_our_dispatcher_is_the_apps(app: Celery):
    assert issubclass(app.events.Dispatcher, dispatcher.StreamDispatcher)
    assert issubclass(type(app.amqp._event_dispatcher), dispatcher.StreamDispatcher)


def test_an_event_that_could_not_be_published_goes_out_with_the_next(app: Celery):
    producer, found = published(app, failures=2)
    evd = app.amqp._event_dispatcher
    for task_id in "abcd":
        evd.publish("task-sent", {"uuid": task_id}, producer)
    assert sorted(event["uuid"] for event in found) == ["a", "b", "c", "d"]  # the fold needs no order
    assert not evd._outbound_buffer


def test_a_sent_event_tells_its_entry_and_only_its_own(app: Celery):
    app.conf.task_send_sent_event = True
    producer, found = published(app)
    app.send_task("a.b", task_id="due", headers={"periodic_task_name": "nightly"}, producer=producer)
    app.send_task("a.b", task_id="called", producer=producer)
    assert [(event["uuid"], event.get("entry")) for event in found] == [("due", "nightly"), ("called", None)]
