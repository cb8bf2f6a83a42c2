"""Each of the 94 entries lands in its queue when it is sent, on each broker; no worker runs here."""

from __future__ import annotations

from collections import Counter

from celery import Celery

from tests.integration.workers import make_app
from zumolib.platform import drill, installation
from zumolib.platform.entries import ENTRIES
from zumolib.platform.queues import QUEUES

EXPECTED = {
    "default": 33,
    "emails": 18,
    "payments": 8,
    "analytics": 10,
    "notifications": 8,
    "hr": 9,
    "ats": 8,
}


def take_all(app: Celery) -> dict[str, str]:
    """Queue by name of the entry, of every message that is waiting."""
    found = {}
    with app.connection_for_read() as connection:
        for queue in QUEUES:
            bound = queue.bind(connection.default_channel)
            bound.declare()
            while (message := bound.get(no_ack=True)) is not None:
                if name := message.headers.get("periodic_task_name"):
                    found[name] = queue.name
    return found


def test_every_entry_lands_in_its_queue(broker: str, valkey_url: str) -> None:
    app = make_app(broker, valkey_url)
    take_all(app)
    rows = installation.code_rows(app)
    asked = {entry.name: entry.queue for entry in ENTRIES}
    for row in rows:
        drill.send(app, {**row, "queue": asked[row["name"]]})  # as beat does: the queue only where asked for
    landed = take_all(app)
    assert landed == {row["name"]: row["queue"] for row in rows}
    assert len(landed) == 94
    assert Counter(landed.values()) == EXPECTED
