from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from celery import Celery

from tests.integration.tasks.postgresql import free_port, server
from tests.integration.tasks.state import flush
from zumolib import orm

# The test modules import models, which need Django.
orm.ready()

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@contextmanager
def connected(settings: dict[str, Any]) -> Iterator[None]:
    """Point Django's default connection at another database."""
    from django.db import connections

    base = {**connections.settings["default"], "CONN_MAX_AGE": 0}
    connections["default"].close()
    del connections["default"]
    before = connections.settings["default"]
    connections.settings["default"] = {**base, **settings}
    try:
        yield
    finally:
        connections["default"].close()
        del connections["default"]
        connections.settings["default"] = before


def migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file."""
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite3"
    with connected({"NAME": str(path)}):
        migrate()
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[dict[str, Any]]:
    """A migrated PostgreSQL database."""
    with server() as place:
        settings = {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {}, **place}
        with connected(settings):
            migrate()
        yield settings


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty business database of each kind in turn."""
    if request.param == "sqlite":
        path = tmp_path / "business.sqlite3"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        settings: dict[str, Any] = {"NAME": str(path)}
    else:
        settings = request.getfixturevalue("postgresql")
    with connected(settings):
        yield request.param
        if request.param == "postgresql":
            flush()


class Inbox:
    """What the mail server accepted; it can be told to refuse."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.refuse: dict[str, str] = {}  # recipient to reply
        self.hang_up_after: int | None = None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.hang_up_after is not None and len(self.messages) >= self.hang_up_after:
            server.transport.close()
            return "421 gone"
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        assert [message["To"]] == envelope.rcpt_tos
        self.messages.append(message)
        return "250 OK"

    def clear(self) -> None:
        self.messages.clear()
        self.refuse.clear()
        self.hang_up_after = None


@pytest.fixture(scope="session")
def mail_server() -> Iterator[tuple[Inbox, int]]:
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port(), enable_SMTPUTF8=True)
    controller.start()
    yield inbox, controller.port
    controller.stop()


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """The stand-in provider, and what it was asked to pay."""
    from tasks.provider.server import Server
    from tasks.provider.store import Store

    store = Store(tmp_path / "provider.sqlite3")
    listening = Server("127.0.0.1", 0, store)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield SimpleNamespace(
        url=f"http://127.0.0.1:{listening.server_address[1]}",
        intents=lambda: store.page("payment_intent", "", {"limit": "100"}, ())["data"],
        store=store,
    )
    listening.shutdown()
    listening.server_close()
    thread.join()
    store.close()


@pytest.fixture
def platform(
    database: str,
    mail_server: tuple[Inbox, int],
    provider: SimpleNamespace,
    valkey_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SimpleNamespace]:
    """An empty platform with everything that its tasks reach for."""
    from django.core.cache import cache
    from django.test import override_settings

    inbox, port = mail_server
    inbox.clear()
    valkey = re.sub(r"/\d*$", "", valkey_url)
    broker = Celery("tests", broker=f"{valkey}/6", set_as_current=False)
    monkeypatch.setattr("tasks.integrations.current_app", broker)
    folders = {name: tmp_path / name.lower() for name in ("BACKUPS", "ARCHIVES", "TEMPORARY")}
    with override_settings(
        **folders,
        OPERATORS=["ops@zumodra.example"],
        TLS_DOMAINS=[],
        STRIPE_API_BASE=provider.url,
        STRIPE_API_KEY="sk_test_123",
        DAILY_REPORT="tests.integration.tasks.report.for_day",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=port,
        EMAIL_USE_TLS=False,
        EMAIL_USE_SSL=False,
        EMAIL_HOST_USER="",
        EMAIL_HOST_PASSWORD="",
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        CACHES={
            "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": f"{valkey}/5"}
        },
    ):
        cache.clear()
        yield SimpleNamespace(
            now=NOW, inbox=inbox, provider=provider, database=database, cache=cache, **folders
        )
    broker.close()


@pytest.fixture
def settings(platform: SimpleNamespace) -> Iterator[Any]:
    """Django's settings, to set for one test."""
    from django.conf import settings as given
    from django.test import override_settings

    with override_settings():
        yield given
