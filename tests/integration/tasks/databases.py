"""Databases of each kind that can be copied whole within some milliseconds.

Loading demo data takes half a second and migrating three, so both are done once; each test works on a copy.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg import sql

Settings = dict[str, Any]  # as in Django's DATABASES


class Databases(Protocol):
    """One kind of database."""

    kind: str

    def empty(self) -> Settings:
        """A new database without tables."""

    def copy(self, settings: Settings) -> Settings:
        """A copy of a database that nobody is connected to."""

    def drop(self, settings: Settings) -> None:
        """Remove a database."""


class SQLite:
    """Each database is a file."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()

    def empty(self) -> Settings:
        return {"NAME": str(self._folder / f"{next(self._numbers)}.sqlite3")}

    def copy(self, settings: Settings) -> Settings:
        made = self.empty()
        shutil.copyfile(settings["NAME"], made["NAME"])
        return made

    def drop(self, settings: Settings) -> None:
        for file in self._folder.glob(f"{Path(settings['NAME']).name}*"):
            file.unlink()


class PostgreSQL:
    """All databases are on one server, where a copy is made of the files of its template."""

    kind = "postgresql"

    def __init__(self, place: Settings) -> None:
        self._settings = {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {}, **place}
        self._numbers = count()
        self._admin = psycopg.connect(
            host=place["HOST"],
            port=place["PORT"],
            user=place["USER"],
            password=place["PASSWORD"],
            dbname=place["NAME"],
            autocommit=True,
        )

    def close(self) -> None:
        self._admin.close()

    def empty(self) -> Settings:
        return self._create("template0")

    def copy(self, settings: Settings) -> Settings:
        return self._create(settings["NAME"])

    def _create(self, template: str) -> Settings:
        name = f"tasks_{next(self._numbers)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        self._admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return {**self._settings, "NAME": name}

    def drop(self, settings: Settings) -> None:
        self._admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(settings["NAME"])))


@contextmanager
def connected(settings: Settings) -> Iterator[None]:
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
