"""Platforms with demo data, loaded once and kept, so that each round of a measurement begins at the same rows."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import apart, mailsink

# What the rows of a data set hang on: where one of these files differs, it is loaded anew.
SOURCES = ("tasks/demo/*", "tasks/migrations/*.py", "tasks/base/money/ledger.py")
PROJECT = Path(__file__).resolve().parent.parent


@contextmanager
def platforms(home: Path) -> Iterator[Any]:
    """What makes platforms on SQLite in the folder `home`, with real services of their own.

    They are a Valkey, the payment provider's stand-in and a mail server that keeps nothing.
    """
    from tests.integration.tasks.conftest import NOW
    from tests.integration.tasks.databases import SQLite
    from tests.integration.tasks.platforms import Platforms
    from tests.services.valkey import valkey

    home.mkdir(parents=True, exist_ok=True)
    with mailsink.serving() as port, valkey() as url:
        place = url.rpartition("/")[0]
        yield Platforms(SQLite(home), home / "templates", place, (mailsink.Sink(), port), NOW)


def loaded(making: Any, scale: float, kept: Path) -> tuple[Any, apart.Run]:
    """The template of a platform with demo data, from the folder `kept` or loaded into it, and what that took."""
    from tests.integration.tasks.platforms import Template

    place = kept / f"scale-{scale:g}-{mark(making.now)}"
    if not place.is_dir():
        _load(making, scale, place)
    run = apart.Run(**json.loads((place / "load.json").read_text()))
    cache = json.loads((place / "cache.json").read_text())
    pairs = {base64.b64decode(key): base64.b64decode(value) for key, value in cache.items()}
    return Template({"NAME": str(place / "database.sqlite3")}, place / "platform", pairs), run


def mark(now: Any) -> str:
    """What tells data sets of one scale apart: the code that makes them, and their moment."""
    digest = hashlib.sha256(now.isoformat().encode())
    for pattern in SOURCES:
        for path in sorted(PROJECT.glob(pattern)):
            if path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _load(making: Any, scale: float, place: Path) -> None:
    """Load into a folder beside `place`, which gets its name when all of it is there."""
    from django.db import connections

    from tasks import demo

    runs: list[apart.Run] = []

    def fill(platform: Any) -> None:
        connections.close_all()  # a connection is not shared with the process that loads
        runs.append(apart.run(lambda: demo.load(scale=scale, now=platform.now)["rows"]))

    template = making.prepared(f"demo-{scale:g}", None, fill)
    if runs[0].error:
        raise RuntimeError(f"loading scale {scale:g} failed: {runs[0].error}")
    part = place.with_name(f"{place.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(template.folder, part / "platform")
    shutil.move(template.database["NAME"], part / "database.sqlite3")
    cache = {_text(key): _text(value) for key, value in template.cache.items()}
    (part / "cache.json").write_text(json.dumps(cache))
    (part / "load.json").write_text(json.dumps(vars(runs[0])))
    part.rename(place)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
