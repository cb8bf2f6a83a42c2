from __future__ import annotations

import hashlib
import json
from collections import Counter

import pytest
from celery.schedules import crontab

from zumolib.celery import create
from zumolib.conf import read
from zumolib.platform.entries import BY_NAME, CATEGORIES, ENTRIES, Cron, Entry

# Of the 94 rows that the platform's owner gave: changing one means agreeing on it with them.
DIGEST = "c8e757a83d1b278c6a9f9a56f1e1935cd9e750451adc8731bd68c624a76fbe2c"


def canonical(entry: Entry, queue: str) -> list[object]:
    when = entry.when.fields() if isinstance(entry.when, Cron) else {"every_minutes": entry.when.minutes}
    return [entry.category, entry.name, entry.task, when, queue, dict(entry.kwargs)]


def test_the_rows_are_those_that_were_agreed_on() -> None:
    app = create(read())
    rows = []
    for entry in ENTRIES:
        options = {"queue": entry.queue} if entry.queue else {}
        rows.append(canonical(entry, app.amqp.router.route(options, entry.task)["queue"].name))
    assert len(rows) == 94
    assert hashlib.sha256(json.dumps(rows).encode()).hexdigest() == DIGEST


def test_names_are_unique_and_categories_complete() -> None:
    assert len(BY_NAME) == len(ENTRIES)
    counts = Counter(entry.category for entry in ENTRIES)
    assert tuple(counts) == CATEGORIES
    assert list(counts.values()) == [5, 2, 3, 5, 6, 6, 6, 4, 7, 7, 5, 7, 7, 7, 5, 6, 5, 1]


@pytest.mark.parametrize("entry", [e for e in ENTRIES if isinstance(e.when, Cron)], ids=lambda e: e.name)
def test_celery_reads_every_crontab(entry: Entry) -> None:
    assert isinstance(entry.when, Cron)
    crontab(**entry.when.fields())


def test_every_entry_says_in_one_line_what_it_does() -> None:
    for entry in ENTRIES:
        assert entry.description.endswith(".")
        assert 20 < len(entry.description) < 200
        assert "\n" not in entry.description
