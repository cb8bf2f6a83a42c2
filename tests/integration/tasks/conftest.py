from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.integration.tasks.databases import Databases, PostgreSQL, SQLite
from tests.integration.tasks.platforms import Platforms
from tests.services.ports import free_port
from tests.services.postgresql import postgresql
from zumolib.database import orm

# The test modules import models, which need Django.
orm.ready()

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DEMO = 0.2  # scale of the data that most tests work on


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


@pytest.fixture(scope="session")
def every_platforms(
    valkey_url: str, mail_server: tuple[Inbox, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Platforms]]:
    """Makes platforms on the kind of database that is asked for.

    Both kinds, and what was prepared on them, stay until the last test: files take turns between them.
    """
    with ExitStack() as opened:

        @cache
        def of(kind: str) -> Platforms:
            databases: Databases
            if kind == "sqlite":
                databases = SQLite(tmp_path_factory.mktemp("sqlite"))
            else:
                # Databases are made and dropped by the hundred, which some disks are slow at.
                databases = PostgreSQL(opened.enter_context(postgresql(in_memory=True)))
                opened.callback(databases.close)
            return Platforms(databases, tmp_path_factory.mktemp("platforms"), valkey_url, mail_server, NOW)

        yield of


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def platforms(request: pytest.FixtureRequest, every_platforms: Callable[[str], Platforms]) -> Platforms:
    """Makes platforms on each kind of database in turn."""
    return every_platforms(request.param)


@pytest.fixture
def platform(platforms: Platforms, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """An empty platform with everything that its tasks reach for."""
    with platforms.opened(platforms.empty(), tmp_path) as opened:
        yield opened


@pytest.fixture
def loaded(platforms: Platforms, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A platform with demo data."""
    with platforms.opened(platforms.demo(DEMO), tmp_path) as opened:
        yield opened


@pytest.fixture
def balanced(platform: SimpleNamespace) -> Iterator[None]:
    """Whatever a test does with money, the ledger sums to zero afterwards."""
    from tasks.base.money import ledger

    yield
    assert ledger.imbalance() == {}


@pytest.fixture
def settings() -> Iterator[Any]:
    """Django's settings, to set for one test."""
    from django.conf import settings as given
    from django.test import override_settings

    with override_settings():
        yield given
