"""A worker that keeps its revokes on disk is ended, in order or killed, and does not run what was revoked."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from celery import Celery

from tests.integration.workers import make_app, worker
from tests.waiting import wait_until
from zumolib import control
from zumolib.inspection import fleet
from zumolib.inspection.fleet import Fleet

NODE = "kept@here"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL], ids=["in order", "killed"])
def test_a_revoked_task_does_not_run_after_its_worker_restarts(
    ending: signal.Signals, valkey_url: str, tmp_path: Path
) -> None:
    broker = f"{valkey_url}/9"
    app = make_app(broker, valkey_url)
    app.loader.import_default_modules()
    app.control.purge()
    options = ("--statedb", str(tmp_path / "revokes"))
    start = {"name": "kept", "queues": ("hr",), "options": options}
    with worker(broker, valkey_url, tmp_path / "first.log", **start):  # type: ignore[arg-type]
        plan = control.call.plan(app, "zumodra.celery.health_check", queue="hr", countdown=12)
        control.apply(plan)
        seen = wait_until(lambda: _scheduled(app, plan.task_id), 10, "the worker to hold it")
        assert seen.answers["stats"][NODE]["revokes_kept"] == str(tmp_path / "revokes")
        receipt = control.apply(control.revoke.plan(app, [plan.task_id], seen=seen))
        assert str(receipt.checked).startswith("verified: 1 of 1 worker holds the revoke (looked at ")
        assert receipt.checked.lasting == "kept on disk, so it outlasts a restart"
        os.kill(seen.answers["stats"][NODE]["pid"], ending)
    # What a killed worker held comes again after the visibility timeout; here it is sent again at once.
    app.backend.forget(plan.task_id)
    app.send_task("zumodra.celery.health_check", task_id=plan.task_id, queue="hr")
    marker = app.send_task("zumodra.celery.health_check", queue="hr")
    with worker(broker, valkey_url, tmp_path / "second.log", **start):  # type: ignore[arg-type]
        marker.get(timeout=30)
        assert wait_until(lambda: app.AsyncResult(plan.task_id).state == "REVOKED", 10, "its state")
    app.close()


def test_a_damaged_file_is_set_aside_and_the_worker_starts(valkey_url: str, tmp_path: Path) -> None:
    path = tmp_path / "revokes"
    path.write_bytes(b"\x80 cut off")
    options = ("--statedb", str(path))
    with worker(f"{valkey_url}/9", valkey_url, tmp_path / "log", name="kept", options=options):
        assert (tmp_path / "revokes.damaged").exists()


def _scheduled(app: Celery, task_id: str) -> Fleet | None:
    seen = fleet.snapshot(app, nodes=[NODE])
    return seen if task_id in set(seen.tasks["id"]) else None
