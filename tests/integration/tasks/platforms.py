"""A platform with everything that its tasks reach for, empty or as it was once prepared.

What demo data consists of is in many places: rows, files, the payment provider's objects, the cache. A
template keeps all of them, so that each test begins at the same state within a fraction of a second.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery import Celery

from tests.integration.tasks.databases import Databases, Settings, connected

FOLDERS = ("BACKUPS", "ARCHIVES", "TEMPORARY", "PUBLIC")
NOBODY = "127.0.0.1:1"  # a domain whose certificate cannot be read
PROVIDER = "provider.sqlite3"
# Stands in for the notebook of the daily report, which takes ten seconds to run.
REPORT = "tests.integration.tasks.report.for_day"


@dataclass(frozen=True)
class Template:
    """A prepared platform at rest."""

    database: Settings
    folder: Path
    cache: dict[bytes, bytes] = field(default_factory=dict)  # as Redis dumps it


@dataclass
class Platforms:
    """Makes platforms of one kind of database.

    Parameters
    ----------
    folder
        Where templates are kept.
    valkey
        ``redis://…`` without a database number.
    mail_server
        An inbox and the port that it listens on.
    """

    databases: Databases
    folder: Path
    valkey: str
    mail_server: tuple[Any, int]
    now: Any
    _templates: dict[str, Template] = field(default_factory=dict)

    @contextmanager
    def opened(self, template: Template, folder: Path) -> Iterator[SimpleNamespace]:
        """A platform that begins as `template`, in a new folder."""
        shutil.copytree(template.folder, folder, dirs_exist_ok=True)
        database = self.databases.copy(template.database)
        try:
            with self._running(database, folder, template.cache) as platform:
                yield platform
        finally:
            self.databases.drop(database)

    def empty(self) -> Template:
        """A migrated database and nothing else."""
        return self._template("empty", None, lambda _: migrate())

    def demo(self, scale: float) -> Template:
        """Demo data."""
        from tasks import demo

        return self._template(
            f"demo-{scale:g}", self.empty, lambda platform: demo.load(scale=scale, now=platform.now)
        )

    def prepared(self, name: str, base: float | None, prepare: Callable[[Any], object]) -> Template:
        """Demo data of scale `base` to which something was done, once; None is an empty platform."""
        return self._template(name, self.empty if base is None else lambda: self.demo(base), prepare)

    def _template(
        self, name: str, base: Callable[[], Template] | None, prepare: Callable[[Any], object]
    ) -> Template:
        if name not in self._templates:
            folder = self.folder / name
            folder.mkdir(parents=True)
            before = base() if base else Template(self.databases.empty(), folder)
            database = before.database
            if base:
                shutil.copytree(before.folder, folder, dirs_exist_ok=True)
                database = self.databases.copy(database)
            with self._running(database, folder, before.cache) as platform:
                prepare(platform)
                with redis.Redis.from_url(f"{self.valkey}/5") as client:
                    cache = {key: client.dump(key) for key in client.scan_iter()}
            self._templates[name] = Template(database, folder, cache)
        return self._templates[name]

    @contextmanager
    def _running(
        self, database: Settings, folder: Path, cached: dict[bytes, bytes]
    ) -> Iterator[SimpleNamespace]:
        from django.core.cache import cache
        from django.test import override_settings

        inbox, port = self.mail_server
        inbox.clear()
        folders = {name: folder / name.lower() for name in FOLDERS}
        with (
            connected(database),
            provider(folder / PROVIDER) as paid,
            pytest.MonkeyPatch.context() as patched,
            Celery("tests", broker=f"{self.valkey}/6", set_as_current=False) as broker,
            override_settings(
                **folders,
                OPERATORS=["ops@zumodra.example"],
                TLS_DOMAINS=[NOBODY],
                DAILY_REPORT=REPORT,
                STRIPE_API_BASE=paid.url,
                STRIPE_API_KEY="sk_test_123",
                EMAIL_HOST="127.0.0.1",
                EMAIL_PORT=port,
                EMAIL_USE_TLS=False,
                EMAIL_USE_SSL=False,
                EMAIL_HOST_USER="",
                EMAIL_HOST_PASSWORD="",
                EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
                CACHES={
                    "default": {
                        "BACKEND": "django.core.cache.backends.redis.RedisCache",
                        "LOCATION": f"{self.valkey}/5",
                    }
                },
            ),
        ):
            patched.setattr("tasks.zumodra.integrations.current_app", broker)
            cache.clear()
            with redis.Redis.from_url(f"{self.valkey}/5") as client:
                for key, value in cached.items():
                    client.restore(key, 0, value)
            yield SimpleNamespace(
                now=self.now,
                inbox=inbox,
                provider=paid,
                database=self.databases.kind,
                cache=cache,
                folder=folder,
                **folders,
            )


def migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)


@contextmanager
def provider(path: Path) -> Iterator[SimpleNamespace]:
    """The stand-in provider, and what it was asked to pay."""
    from tasks.provider.server import Server
    from tasks.provider.store import Store

    store = Store(path)
    listening = Server("127.0.0.1", 0, store)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield SimpleNamespace(
            url=f"http://127.0.0.1:{listening.server_address[1]}",
            intents=lambda: store.page("payment_intent", "", {"limit": "100"}, ())["data"],
            objects=lambda: _objects(path),
            store=store,
        )
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
        store.close()


def _objects(path: Path) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as database:
        found = database.execute("SELECT kind, id, body FROM object ORDER BY seq").fetchall()
    database.close()
    return found
