"""The base task in a real worker: retries, the cluster's rate limit, the log line, metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from tests.integration.workers import make_app, worker
from zumolib.platform import ratelimit


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worker") / "worker.log"


@pytest.fixture(scope="module")
def app(valkey_url: str, log: Path) -> Iterator[Celery]:
    broker = f"{valkey_url}/3"
    with worker(broker, valkey_url, log), worker(broker, valkey_url, log, name="second"):
        yield make_app(broker, valkey_url)


def test_a_transient_error_is_retried(app: Celery) -> None:
    assert app.send_task("tests.flaky", ["connection", 2]).get(timeout=60) == 2


def test_a_permanent_error_fails_at_once(app: Celery) -> None:
    result = app.send_task("tests.flaky", ["value", 1])
    with pytest.raises(ValueError, match="on purpose"):
        result.get(timeout=60)
    assert app.backend.get_task_meta(result.id)["retries"] == 0


def test_the_rate_limit_holds_over_two_workers(app: Celery) -> None:
    ran = sorted(result.get(timeout=60) for result in [app.send_task("tests.limited") for _ in range(8)])
    gaps = [after - before for before, after in pairwise(ran)]
    assert min(gaps) > 0.4, "two a second leave half a second between runs"


def test_each_run_leaves_one_line_with_its_fields(app: Celery, log: Path) -> None:
    result = app.send_task("tests.sleepy", [0.05], queue="hr")
    result.get(timeout=60)
    lines = [line for line in log.read_text().splitlines() if result.id in line and "ended as" in line]
    assert len(lines) == 1
    found = re.search(r"Task tests\.sleepy ended as SUCCESS after 0\.\d+ s\. (\{.*\})", lines[0])
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
