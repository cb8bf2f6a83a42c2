"""A retry goes back to the queue that its task came from, or says why it cannot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu import Exchange, Queue

from zumolib import conf
from zumolib.control import retry
from zumolib.history import History, events


@pytest.fixture
def app() -> Celery:
    """As many projects name their queues: none with a routing key of its own, all with Celery's default."""
    made = Celery("shared", broker="memory://", backend="cache+memory://", set_as_current=False)
    made.conf.task_queues = [
        Queue("orders", Exchange("shop"), routing_key="celery"),
        Queue("mail", Exchange("shop"), routing_key="celery"),
        Queue("reports", Exchange("reports"), routing_key="nightly"),
    ]
    made.conf.task_create_missing_queues = True
    return made


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    monkeypatch.setenv("ZUMO_HISTORY", str(tmp_path / "history"))
    conf.conf.cache_clear()
    yield History(tmp_path / "history")
    conf.conf.cache_clear()


def failed(app: Celery, task_id: str, routing_key: str | None, error: str = "no") -> None:
    app.backend.store_result(task_id, ValueError(error), "FAILURE")
    key = app.backend.get_key_for_task(task_id)
    meta = app.backend.decode(app.backend.get(key))
    meta |= {"name": "shop.pay", "args": [1], "kwargs": {}, "queue": routing_key}
    app.backend.set(key, app.backend.encode(meta))


def sent(history: History, task_id: str, queue: str) -> None:
    now = time.time()
    event = {
        "type": "task-sent",
        "uuid": task_id,
        "timestamp": now,
        "name": "shop.pay",
        "queue": queue,
        "hostname": "p",
    }
    history.append_events(events.table([events.row(event, now)]), source="stream")


#   routing key of the result   queue that the sender told   goes to      or: what is said
ORIGINS: list[tuple[str | None, str | None, str, str]] = [
    ("nightly", None, "reports", ""),
    ("celery", "mail", "mail", ""),
    ("celery", None, "", "routing key 'celery', which the queues mail, orders share; name the queue by --to"),
    ("q5.x", "q5.x", "q5.x", ""),  # a queue that the app does not name
    ("q5.x", None, "", "'q5.x', which is none of the app's queues; name the queue by --to"),
    (None, None, "", "none of the app's queues"),
    ("nightly", "mail", "", "told the queue 'mail', its result the routing key 'nightly' of 'reports'"),
]


@pytest.mark.parametrize(("key", "told", "queue", "reason"), ORIGINS)
def test_where_a_retry_goes(
    key: str | None, told: str | None, queue: str, reason: str, app: Celery, history: History,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(retry, "_retried", dict)
    failed(app, "one", key)
    if told is not None:
        sent(history, "one", told)
    plan: Any = retry.plan(app, ["one"])
    assert list(plan.preview["queue"]) == ([queue] if queue else [])
    assert [reason in said for said in plan.refused["reason"]] == ([True] if reason else [])


def test_a_person_may_name_the_queue(app: Celery, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_retried", dict)
    failed(app, "one", "celery")
    assert list(retry.plan(app, ["one"], to="orders").preview["queue"]) == ["orders"]


def test_the_error_of_what_failed_shows_no_secret(
    app: Celery, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "_retried", dict)
    failed(app, "one", "nightly", "amqp://u:hunter2@h does not answer")
    assert list(retry.plan(app, ["one"]).preview["error"]) == ["ValueError: amqp://u:***@h does not answer"]
