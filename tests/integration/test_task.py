"""The base task in a real worker: retries, the cluster's rate limit, the log line, metrics."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from tests.integration.workers import make_app, worker
from tests.services.valkey import Valkey
from tests.waiting import wait_until
from zumolib.platform import ratelimit

NODES = ("first", "second", "third")
LIMIT = 5  # runs of tests.limited a second


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worker") / "worker.log"


@pytest.fixture(scope="module")
def app(valkey_url: str, log: Path) -> Iterator[Celery]:
    broker = f"{valkey_url}/3"
    with ExitStack() as workers:
        for node in NODES:
            workers.enter_context(worker(broker, valkey_url, log, name=node))
        yield make_app(broker, valkey_url)


def ends(log: Path, id_: str) -> list[str]:
    """What the log says of each end of that task: it comes a moment after the result."""
    found: list[str] = []

    def look() -> bool:
        found[:] = [line for line in log.read_text().splitlines() if id_ in line and "ended as" in line]
        return any("ended as RETRY" not in line for line in found)

    wait_until(look, 15, f"{id_} to end in {log}")
    return found


def test_a_transient_error_is_retried(app: Celery) -> None:
    assert app.send_task("tests.flaky", ["connection", 2]).get(timeout=60) == 2


def test_a_permanent_error_fails_at_once(app: Celery) -> None:
    result = app.send_task("tests.flaky", ["value", 1])
    with pytest.raises(ValueError, match="on purpose"):
        result.get(timeout=60)
    assert app.backend.get_task_meta(result.id)["retries"] == 0


def test_the_rate_limit_holds_across_three_workers(app: Celery, log: Path) -> None:
    sent = [app.send_task("tests.limited") for _ in range(24)]
    ran = [result.get(timeout=60) for result in sent]
    assert {node.partition("@")[0] for node, _ in ran} == set(NODES), "each worker has its share"
    starts = sorted(at for _, at in ran)
    # A body begins some milliseconds after its token was taken: hence one more than the limit in a window.
    assert max(bisect_left(starts, at + 1) - place for place, at in enumerate(starts)) <= LIMIT + 1
    assert starts[-1] - starts[0] > (len(sent) - 1) / LIMIT - 0.5
    assert {app.backend.get_task_meta(result.id)["retries"] for result in sent} == {0}, "waiting is no retry"
    ended = [line for result in sent for line in ends(log, result.id)]
    assert sum("ended as SUCCESS" in line for line in ended) == len(sent), "each runs once"


def test_a_limit_that_cannot_be_read_is_waited_for(app: Celery, valkey_url: str, tmp_path: Path) -> None:
    """A run does not start without its token, and does not fail for the want of one."""
    counter = Valkey()
    try:
        log = tmp_path / "worker.log"
        with worker(f"{valkey_url}/4", valkey_url, log, name="blind", redis_url=counter.url):
            blind = make_app(f"{valkey_url}/4", valkey_url)
            result = blind.send_task("tests.limited")
            wait_until(lambda: result.state == "RETRY", 30, "the run to go back to its queue")
            counter.start()
            assert result.get(timeout=30)[0] == "blind@here"
            assert blind.backend.get_task_meta(result.id)["retries"] == 0
    finally:
        counter.remove()


def test_the_payment_providers_limits_reach_the_workers(app: Celery) -> None:
    [lines] = (
        app.control.inspect([f"{NODES[0]}@here"]).registered("rate_limit", "cluster_rate_limit").values()
    )
    told = dict(line.split(" ", 1) for line in lines if "cluster_rate_limit" in line)
    told.pop("tests.limited")
    assert told == {
        "finance.tasks.process_payment": "[rate_limit=30/m cluster_rate_limit=30/m]",
        "finance.tasks.sync_stripe_subscriptions": "[rate_limit=10/m cluster_rate_limit=10/m]",
    }


def test_each_run_leaves_one_line_with_its_fields(app: Celery, log: Path) -> None:
    result = app.send_task("tests.sleepy", [0.05], queue="hr")
    result.get(timeout=60)
    [line] = ends(log, result.id)
    found = re.search(r"Task tests\.sleepy ended as SUCCESS after 0\.\d+ s\. (\{.*\})", line)
    assert found
    fields: dict[str, Any] = json.loads(found[1])
    assert fields.pop("seconds") >= 0.05
    assert fields == {
        "task": "tests.sleepy",
        "task_id": result.id,
        "queue": "hr",
        "state": "SUCCESS",
        "retries": 0,
    }


def test_a_bucket_fills_at_its_rate(valkey_url: str) -> None:
    url = f"{valkey_url}/0"
    assert ratelimit.take("tests.bucket", 10.0, url=url) == 0
    wait = ratelimit.take("tests.bucket", 10.0, url=url)
    assert 0 < wait <= 0.1
    assert ratelimit.take("tests.other", 10.0, url=url) == 0, "each name has its own bucket"
    assert ratelimit.take("tests.bucket", 0.0, url=url) == 0, "a rate of 0 is no limit"
    assert [ratelimit.take("tests.large", 0.001, size=3, url=url) > 0 for _ in range(4)] == [
        *(False, False, False),
        True,
    ]
