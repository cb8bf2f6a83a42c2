"""Who waits for results, and loses the broker or the result backend meanwhile, says so in one line."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from celery import Celery

from tests.integration.workers import make_app, worker
from tests.services.valkey import Valkey
from tests.waiting import wait_until
from zumolib import control
from zumolib.errors import BrokerError
from zumolib.platform import drill, installation


@pytest.fixture
def server(valkey_server: Valkey) -> Valkey:
    """A server that runs when a test begins."""
    valkey_server.stop()
    valkey_server.start()
    return valkey_server


def impatient(broker: str, results: str) -> Celery:
    """The app, which gives up a lost result backend after two tries and not after twenty seconds."""
    app = make_app(broker, results)
    app.conf.result_backend_transport_options = {"retry_policy": {"max_retries": 2}}
    return app


@pytest.mark.parametrize("lost", ["broker", "results"])
def test_a_drill_names_what_it_lost(
    lost: str, server: Valkey, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = server.url.removesuffix("/0")
    app = impatient(*((place, valkey_url) if lost == "broker" else (f"{valkey_url}/6", place)))
    monkeypatch.setattr(installation, "rows", lambda app: installation.code_rows(app)[:3])
    shown: list[tuple[int, int]] = []

    def stop_it(done: int, of: int) -> None:
        if not shown:
            server.stop()
        shown.append((done, of))

    try:
        with pytest.raises(BrokerError, match=f"{place}.* does not answer .*; start the "):
            drill.run(app, timeout=60, progress=stop_it)
    finally:
        if lost == "results":
            app.control.purge()
    assert shown[0] == (0, 3)


def test_a_call_is_followed_again_when_its_results_are_back(
    server: Valkey, valkey_url: str, tmp_path: Path
) -> None:
    place = server.url.removesuffix("/0")
    app = impatient(f"{valkey_url}/6", place)
    app.control.purge()
    sent = app.send_task("tests.sleepy", [1.0])
    lost = threading.Thread(target=server.stop)
    lost.start()
    with pytest.raises(BrokerError, match=f"{place}.* does not answer .*; start the result backend"):
        control.follow(app, sent.id, timeout=60)
    lost.join()
    server.start()
    with worker(f"{valkey_url}/6", place, tmp_path / "worker.log"):
        assert control.follow(app, sent.id, timeout=60).state == "SUCCESS"


def test_a_result_waits_for_its_backend(server: Valkey, valkey_url: str, tmp_path: Path) -> None:
    place, log = server.url.removesuffix("/0"), tmp_path / "worker.log"
    app = impatient(f"{valkey_url}/6", place)
    app.control.purge()
    with worker(f"{valkey_url}/6", place, log):
        sent = app.send_task("tests.sleepy", [2.0])
        wait_until(lambda: app.backend.get_state(sent.id) == "STARTED", 30, "the task to start")
        server.stop()
        wait_until(lambda: "Failed operation _store_result" in log.read_text(), 30, "the worker to miss it")
        server.start()
        assert control.follow(app, sent.id, timeout=60).state == "SUCCESS"
    assert log.read_text().count(f"[{sent.id}] received") == 1
