"""The stand-in provider as a process: it ends when told, and a kill loses nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

from tasks.provider.store import Store
from tasks.provider.tls import serve_over_tls
from tests.services.ports import free_port
from tests.waiting import wait_until

PAY = {
    "amount": 500,
    "currency": "usd",
    "payment_method": "pm_card_visa",
    "confirm": True,
    "metadata": {"a": "b"},
}


class Provider:
    def __init__(self, data: Path) -> None:
        self.port, self.data = free_port(), data
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        words = [sys.executable, "-m", "tasks.provider", "--port", str(self.port), "--data", str(self.data)]
        self.process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        wait_until(self.answers, 10, "the provider to listen")

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/v1/balance", timeout=2).status_code == 401
        except requests.ConnectionError:
            return False

    def client(self) -> Any:
        return stripe.StripeClient(
            "sk_test_1",
            base_addresses={"api": self.url},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=5),
        ).v1


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Provider]:
    provider = Provider(tmp_path / "provider.sqlite3")
    yield provider
    provider.process.kill()
    provider.process.wait()


def test_it_ends_when_told(running: Provider) -> None:
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(10) == 0


def test_a_kill_loses_nothing_and_keys_hold_over_it(running: Provider) -> None:
    before = running.client().payment_intents.create(PAY, {"idempotency_key": "k"})
    running.process.kill()
    running.process.wait()
    running.start()
    after = running.client().payment_intents.create(PAY, {"idempotency_key": "k"})
    assert (after.id, after.status, after.metadata["a"]) == (before.id, "succeeded", "b")
    assert running.client().balance.retrieve().available[0].amount == 500


def test_a_taken_port_is_named(running: Provider) -> None:
    words = [sys.executable, "-m", "tasks.provider", "--port", str(running.port), "--data", str(running.data)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{running.port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_over_tls_it_shows_a_certificate_that_soon_ends(tmp_path: Path) -> None:
    from tasks.core.certificates import read

    store = Store(tmp_path / "provider.sqlite3")
    server = serve_over_tls("127.0.0.1", 0, store, tmp_path / "provider.pem")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        reading = read(f"127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        store.close()
    assert (reading.trusted, reading.problem) == (False, "self-signed certificate")
    assert reading.valid_until is not None
    assert timedelta(days=19) < reading.valid_until - datetime.now(UTC) <= timedelta(days=20)
    first = (tmp_path / "provider.pem").read_bytes()
    assert (tmp_path / "provider.pem").stat().st_mode & 0o077 == 0
    serve_over_tls("127.0.0.1", 0, Store(tmp_path / "b.sqlite3"), tmp_path / "provider.pem").server_close()
    assert (tmp_path / "provider.pem").read_bytes() == first, "it is kept while it lasts"
