"""A history in an object store: what a folder does, a bucket does, with a stand-in for Amazon's S3."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest

from tests import recorded
from tests.services.missing import missing
from zumolib import conf as settings
from zumolib.errors import HistoryError
from zumolib.frames import health
from zumolib.history import History, events, soundness, view
from zumolib.history.manifest import Manifest, commit, newest
from zumolib.history.tidying import sweep_orphans

WINDOW = (recorded.START, recorded.END)
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    try:
        import boto3
        from moto.server import ThreadedMotoServer
    except ImportError as error:
        missing(f"moto's server is not installed: {error}")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=url, **keys).create_bucket(Bucket="history")
        yield url
    finally:
        server.stop()


@pytest.fixture
def url(
    endpoint: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A prefix of the test's own, with a cache of its own."""
    monkeypatch.setenv("ZUMO_HOME", str(tmp_path / "home"))
    settings.conf.cache_clear()
    options = f"endpoint={quote(endpoint)}&access_key_id=a&secret_access_key=b&region=us-east-1"
    yield f"s3://history/{quote(request.node.name)}?{options}"
    settings.conf.cache_clear()


def test_a_bucket_tells_what_a_folder_tells(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder, bucket = recorded.make(tmp_path / "folder"), recorded.make(url)
    expected = folder.tasks(*WINDOW)
    for round_ in range(3):
        pd.testing.assert_frame_equal(bucket.tasks(*WINDOW), expected)
        pd.testing.assert_frame_equal(bucket.depths(*WINDOW), folder.depths(*WINDOW))
        pd.testing.assert_frame_equal(bucket.workers(*WINDOW), folder.workers(*WINDOW))
        bucket.compact(NOW + timedelta(hours=3 * round_), at_once=True)
    assert not bucket.place.entries("events"), "what was folded is deleted"
    # Another machine: nothing is in its cache.
    monkeypatch.setenv("ZUMO_HOME", str(tmp_path / "elsewhere"))
    settings.conf.cache_clear()
    view.forget()
    elsewhere = History(url)
    assert elsewhere.root != bucket.root
    pd.testing.assert_frame_equal(elsewhere.tasks(*WINDOW), expected)
    assert elsewhere.coverage() == bucket.coverage()
    assert bucket.retain(days=1, now=recorded.END) == [
        recorded.START.date(),
        recorded.START.date() + timedelta(days=1),
    ]


def test_one_of_two_commits_wins(url: str):
    one, other = History(url).place, History(url).place
    first, second = Manifest(events=1).after(NOW), Manifest(events=2).after(NOW)
    assert commit(one, first)
    assert not commit(other, second)
    assert newest(other).events == 1


def test_one_works_in_the_background_at_a_time(url: str):
    one, other = History(url).place, History(url).place
    with one.alone() as first, other.alone() as second:
        assert (first, second) == (True, False)
    with other.alone() as again:
        assert again


def test_what_a_crash_left_is_swept(url: str, tmp_path: Path):
    history = recorded.make(url)
    history.compact(NOW, at_once=True)
    stray = tmp_path / "stray"
    stray.write_bytes(b"half a step")
    history.place.put("tasks/day=2026-11-16/stray.parquet", lambda path: path.write_bytes(b"half a step"))
    assert sweep_orphans(history.place, newest(history.place), NOW + timedelta(hours=2)) == 1
    assert len(history.tasks(*WINDOW)) == len(recorded.firings())


def test_a_store_that_does_not_answer_is_named_without_its_keys():
    event: dict[str, Any] = {"type": "task-sent", "uuid": "t", "timestamp": NOW.timestamp()}
    closed = "s3://history/x?endpoint=http://127.0.0.1:9&access_key_id=a&secret_access_key=hidden&region=r"
    with pytest.raises(HistoryError, match=r"s3://history/x does not answer") as caught:
        History(closed).append_events([events.row(event, NOW.timestamp())])
    assert "hidden" not in str(caught.value)


def test_status_tells_whether_the_store_can_be_reached(url: str):
    assert soundness.look(url).state == "empty"
    recorded.make(url).compact(NOW, at_once=True)
    found = soundness.look(url)
    assert (found.state, found.place) == ("sound", url.partition("?")[0])
    [bad] = [entry.name for entry in History(url).place.entries("tasks")][:1]
    History(url).place.put(bad, lambda path: path.write_bytes(b"cut"))
    assert soundness.look(url).damaged == (bad,)


# what is wrong with the address | what is said of it
WRONG = [
    (lambda url: url.replace("s3://history/", "s3://no-such-bucket/"), "does not answer"),
    (lambda url: re.sub(r"endpoint=[^&]*", "endpoint=http://127.0.0.1:9", url), "does not answer"),
    (lambda url: url.replace("s3://", "s4://"), "is no address of an object store"),
]


@pytest.mark.parametrize(("spoil", "said"), WRONG)
def test_a_store_that_cannot_be_reached_is_a_state(url: str, spoil: Callable[[str], str], said: str):
    began = time.monotonic()
    found = soundness.look(spoil(url))
    assert found.state == "unreachable"
    assert said in found.problem
    assert found.remedy
    assert "secret_access_key" not in found.place + found.problem
    assert time.monotonic() - began < 4 * soundness.PATIENCE


def test_a_store_that_is_silent_is_not_waited_for_long(url: str):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"endpoint=http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        found = soundness.look(re.sub(r"endpoint=[^&]*", endpoint, url))
    assert found.state == "unreachable"
    assert soundness.PATIENCE * 0.9 < time.monotonic() - began < 4 * soundness.PATIENCE
    assert (
        health.files(History(re.sub(r"endpoint=[^&]*", "endpoint=http://127.0.0.1:9", url))).state == "down"
    )
