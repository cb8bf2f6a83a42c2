"""The control room's screen: states told apart, what is lost is said, and strangers' texts stay texts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from celery import Celery

from tests.unit.frames.told import Told, write
from zumolib.errors import BrokerError
from zumolib.history import History
from zumolib.room import ControlRoom, reading, screen

NOW = datetime(2026, 11, 17, 12, tzinfo=UTC)
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m"


class Tags(HTMLParser):
    """Every tag and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def app() -> Iterator[Celery]:
    made = Celery("nobody", broker="redis://127.0.0.1:1", set_as_current=False)
    made.conf.task_default_queue = EVIL[:30]
    yield made
    made.close()


@pytest.fixture
def history(tmp_path: Path) -> History:
    ago = NOW - timedelta(minutes=4)
    late = Told(ago, 1, name=EVIL, queue="payments")
    failed = Told(
        ago, 1, 2, 3, name="x." + "long" * 300_000, state="FAILURE", exception=f"{EVIL}Error({EVIL!r})"
    )
    return write(tmp_path, [late, failed])


@pytest.fixture
def room(app: Celery, history: History, monkeypatch: pytest.MonkeyPatch) -> ControlRoom:
    """A room whose broker is gone and whose database has no receipts."""

    def lost(*_: object, **__: object) -> None:
        raise BrokerError("redis://127.0.0.1:1 does not answer; start the broker or correct its URL")

    monkeypatch.setattr(reading.Depths, "sample", lost)
    monkeypatch.setattr(reading.Reader, "_actions", lambda self: pd.DataFrame())
    return ControlRoom(app, history, live=False)


def test_a_lost_broker_is_a_state_and_the_rest_goes_on(room: ControlRoom) -> None:
    look = room.reader.read(NOW)
    states = look.health.set_index("component")["state"]
    assert states["broker"] == "down"
    assert states["workers"] == "unknown"
    assert look.numbers["waiting"] is None
    assert (look.numbers["failed"], look.numbers["late"]) == (1, 1)
    page = Tags(screen.page(look))
    assert "broker: down" in page.text
    assert "start the broker" in page.text
    assert "Not known while the broker does not answer" in page.text
    assert "Traceback" not in page.text


def test_a_history_that_cannot_be_read_is_a_state(room: ControlRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("disk is gone")

    monkeypatch.setattr(reading.Reader, "_history", broken)
    look = room.reader.read(NOW)
    assert "disk is gone" in look.lost["history"]
    assert look.numbers["failed"] is None
    assert "disk is gone" in Tags(screen.page(look)).text


def test_strangers_texts_stay_texts_and_are_cut(room: ControlRoom) -> None:
    html = screen.page(room.reader.read(NOW))
    page = Tags(html)
    assert not page.tags & {"script", "img"}
    assert "<script>" in page.text
    assert "\x1b" not in html
    assert len(html) < 60_000


def test_sections_that_did_not_change_are_not_sent_again(room: ControlRoom) -> None:
    first = screen.sections(room.reader.read(NOW))
    again = screen.sections(room.reader.read(NOW))
    assert first == again
    assert set(first) == set(screen.SECTIONS)


def test_without_a_person_it_is_one_static_page(room: ControlRoom) -> None:
    bundle = room._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert "broker: down" in bundle["text/plain"]


def test_live_it_is_a_widget_with_the_page_beside_it(room: ControlRoom) -> None:
    room.live = True
    bundle = room._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "broker: down" in bundle["text/html"]
    room._pause.value = True
    assert room._timer.paused is True
    assert room._pause.description == "Go on"
    room.close()


def test_a_paused_room_ends_its_thread(room: ControlRoom) -> None:
    room.live, room.every = True, 0.05
    room._repr_mimebundle_()
    room._timer.value += 1  # as the page's timer does
    thread = room._thread
    assert thread is not None
    thread.join(timeout=30)
    assert room.refreshes >= 1
    assert room._thread is None
    room._timer.value += 1
    assert room._thread is not None, "it begins again with the next question"
    room.close()


@pytest.mark.parametrize(
    ("state", "wait", "late"), [("PENDING", 6.0, True), ("PENDING", 4.0, False), ("RETRY", 60.0, False)]
)
def test_late_is_what_missed_its_objective(state: str, wait: float, late: bool) -> None:
    sent = pd.to_datetime([NOW - timedelta(seconds=wait)], utc=True)
    waits = pd.DataFrame({"queue": ["payments"], "state": [state], "sent": sent, "eta": pd.NaT})
    waits["eta"] = pd.to_datetime(waits["eta"], utc=True)
    assert (len(reading.overdue(waits, NOW)) == 1) is late


def test_a_sparkline_has_a_gap_where_nothing_was_sampled() -> None:
    import numpy as np

    whole = screen._spark(np.array([1.0, 2, 3]), "#0072B2")
    gap = screen._spark(np.array([1.0, np.nan, 3]), "#0072B2")
    assert whole.count("M") == 1
    assert gap.count("M") == 2
