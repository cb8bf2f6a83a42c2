"""A worker that loses its broker in the middle of its work: it lives, and what it had taken runs once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import redis

from tests.integration.workers import make_app, worker
from tests.services.valkey import Valkey
from tests.waiting import wait_until

RUNNING, WAITING = 2, 2  # tasks: the worker has two processes


def test_what_runs_is_acknowledged_late_and_what_waits_is_given_back(tmp_path: Path) -> None:
    server, log = Valkey(), tmp_path / "worker.log"
    try:
        server.start()
        place = server.url.rpartition("/")[0]
        app = make_app(f"{place}/2", place)
        with worker(f"{place}/2", place, log) as node:
            ids = [app.send_task("tests.sleepy", (8.0,)).id for _ in range(RUNNING + WAITING)]
            inspect = app.control.inspect(destination=[node], timeout=2)
            held = [inspect.active, inspect.reserved]
            wait_until(
                lambda: [len((ask() or {}).get(node, ())) for ask in held] == [RUNNING, WAITING],
                20,
                "the work",
            )
            server.stop()
            wait_until(lambda: "Connection to broker lost" in log.read_text(), 20, "the worker to notice")
            server.start()
            app = make_app(f"{place}/2", place)  # without the connections of before
            wait_until(
                lambda: all(app.AsyncResult(task_id).state == "SUCCESS" for task_id in ids),
                60,
                "all to have run",
            )
            with redis.Redis.from_url(f"{place}/2") as client:
                wait_until(lambda: not client.zcard("unacked_index"), 10, "all to be acknowledged")
                assert not client.hlen("unacked")
        succeeded = Counter(re.findall(r"Task tests\.sleepy\[([^]]+)\] succeeded", log.read_text()))
        assert succeeded == dict.fromkeys(ids, 1)
    finally:
        server.remove()
