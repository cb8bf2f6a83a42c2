"""The business state of a stack at rest, in a form in which two runs can be compared.

Runs that did the same work differ in what the clock of the machine gave them, and in the numbers of new rows
where two tasks wrote into one table in another order. So a row that was there before keeps its key as its
identity, a new one is known by what it says, and so is what it points to.
"""

from __future__ import annotations

import json
import mailbox
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.integration.tasks.state import MEASURED, OMITTED
from zumolib.database import orm

# What depends on the moment at which a task ran among the others, or on how long something took.
VARIES = {
    "backup": {"size", "digest", "tables"},
    "archive": {"size", "digest"},
    "storedreport": {"content"},
    "mail": {"text", "html"},
    "cachedaggregate": {"reads", "hits"},  # a killed run that is given its message again reads again
}
MADE_UP = re.compile(r"([a-z]+_)[0-9a-f]{24}")  # ids that the provider rolls dice for
CLOCK = timedelta(hours=1)  # a time that lies so near to now was read from the machine's clock

Content = tuple[Any, ...]


class Business:
    """The rows, letters and charges in the home of a stack whose worker, mail and provider are stopped."""

    def __init__(self, home: Path, known: dict[str, int] | None = None) -> None:
        orm.ready()
        from django.apps import apps

        self.home = home
        self._models = {m._meta.model_name: m for m in apps.get_app_config("tasks").get_models()}
        self._now = datetime.now(UTC)
        self._raw = {name: dict(self._read(name)) for name in self._models if name not in OMITTED}
        # Highest key of each table in the state that the runs began with.
        self.known = known or {name: max(rows, default=0) for name, rows in self._raw.items()}

    def _read(self, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
        meta = self._models[name]._meta
        columns = [f.column for f in meta.concrete_fields]
        listed = ", ".join(f'"{column}"' for column in columns)
        with closing(sqlite3.connect(self.home / "zumodra.sqlite3")) as database:
            for row in database.execute(f'SELECT {listed} FROM "{meta.db_table}"'):
                yield row[columns.index(meta.pk.column)], dict(zip(columns, row, strict=True))

    @cached_property
    def tables(self) -> dict[str, Counter[Content]]:
        """How often each content is there, by table."""
        return {
            name: Counter(
                (self._identity(name, key, ()), *self._content(name, key, ())) for key in self._raw[name]
            )
            for name in self._raw
        }

    def _identity(self, name: str, key: int, seen: tuple[Any, ...]) -> Any:
        if key <= self.known[name]:
            return key
        if (name, key) in seen or key not in self._raw[name]:
            return "new"
        return ("new", *self._content(name, key, seen))

    def _content(self, name: str, key: int, seen: tuple[Any, ...]) -> Content:
        row, here = self._raw[name][key], (*seen, (name, key))
        found = []
        for field in self._models[name]._meta.concrete_fields:
            if field.primary_key or field.name in MEASURED | VARIES.get(name, set()):
                continue
            value = row[field.column]
            if field.is_relation and value is not None:
                target = field.related_model._meta.model_name
                value = self._identity(target, value, here) if target in self._raw else value
            found.append((field.name, self._settled(value)))
        return tuple(found)

    def _settled(self, value: Any) -> Any:
        """`value`, but for a time of the machine's clock and for the provider's dice."""
        if isinstance(value, str) and (made_up := MADE_UP.fullmatch(value)):
            return made_up[1]
        if isinstance(value, str) and value[:2] == "20" and value[4:5] == "-":
            try:
                at = datetime.fromisoformat(value)
            except ValueError:
                return value
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
            return "clock" if abs(self._now - at) < CLOCK else value
        return value

    @cached_property
    def letters(self) -> Counter[tuple[str, str, str]]:
        """How often each letter was accepted by the mail server: recipient, subject and its own id."""
        folder = self.home / "mail" / "Maildir"
        with closing(mailbox.Maildir(folder, create=False)) as box:
            return Counter((str(m["To"]), str(m["Subject"]), str(m["Message-ID"])) for m in box)

    @cached_property
    def charges(self) -> Counter[tuple[Any, ...]]:
        """What the payment provider was made to do, by kind."""
        with closing(sqlite3.connect(self.home / "provider.sqlite3")) as store:
            bodies = [json.loads(body) for (body,) in store.execute("SELECT body FROM object")]
        return Counter(
            (
                body["object"],
                body.get("amount"),
                body.get("currency"),
                body.get("status"),
                json.dumps(body.get("metadata"), sort_keys=True),
            )
            for body in bodies
        )

    @cached_property
    def files(self) -> set[str]:
        """Backups, archives and temporary files, by place and name.

        The half of a dump that a killed run leaves is not among them: a rotation removes it a day later.
        """
        folders = [self.home / name for name in ("backups", "archives", "tmp")]
        return {
            str(path.relative_to(self.home))
            for folder in folders
            for path in folder.rglob("*")
            if path.is_file() and not any(part.startswith(".part-") for part in path.parts)
        }

    def imbalance(self) -> dict[str, int]:
        """Sum of the ledger by currency, where it is not zero."""
        with closing(sqlite3.connect(self.home / "zumodra.sqlite3")) as database:
            sums = database.execute("SELECT currency, SUM(cents) FROM tasks_posting GROUP BY currency")
            return {currency: cents for currency, cents in sums if cents}


def differences(one: Business, other: Business) -> dict[str, dict[str, list[str]]]:
    """In what two states differ, table by table: what only one of them has."""
    pairs: dict[str, tuple[Any, Any]] = {
        name: (one.tables[name], other.tables[name]) for name in one.tables
    } | {
        "letters": (Counter(set(one.letters)), Counter(set(other.letters))),
        "charges": (one.charges, other.charges),
        "files": (Counter(one.files), Counter(other.files)),
    }
    return {
        name: {
            "only first": [repr(row)[:400] for row in list((first - second).elements())[:3]],
            "only second": [repr(row)[:400] for row in list((second - first).elements())[:3]],
        }
        for name, (first, second) in pairs.items()
        if first != second
    }
