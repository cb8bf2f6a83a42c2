"""The stream of events on a real Valkey: who takes over, what is let go, and what happens without it."""

from __future__ import annotations

import pytest

from tests.integration import tiny
from tests.services.valkey import Valkey
from zumolib.recorder import dispatcher, sources
from zumolib.recorder.sources import stream


def test_another_recorder_claims_what_a_dead_one_took(
    valkey_server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = tiny.make(valkey_server.url)
    app.tasks["tiny.double"].delay(1)
    monkeypatch.setattr(stream, "CLAIM_IDLE_MS", 0)
    dead = sources.connect(app, "dead")
    taken = dead.take(1.0)
    dead.close()
    heir = sources.connect(app, "heir")
    try:
        assert [message.body for message in heir.take(1.0)] == [message.body for message in taken]
        assert taken
        heir.settle()
        assert heir.waiting() == 0
    finally:
        heir.close()


def test_what_all_groups_have_read_leaves_the_stream(valkey_server: Valkey) -> None:
    app = tiny.make(valkey_server.url)
    for number in range(300):
        app.tasks["tiny.double"].delay(number)
    source = sources.connect(app, "trimmer")
    with app.connection_for_read() as connection, connection.default_channel.conn_or_acquire() as client:
        try:
            before = client.execute_command("XLEN", dispatcher.STREAM)
            while source.take(0.1):
                pass
            source.settle()
            assert before >= 300
            assert client.execute_command("XLEN", dispatcher.STREAM) < 200  # whole nodes of 100 go
        finally:
            source.close()


def test_a_stream_that_cannot_be_written_fails_no_task(
    valkey_server: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    app = tiny.make(valkey_server.url, set_as_current=False)
    app.conf.broker_transport_options = {"global_keyprefix": "broken:"}
    with app.connection_for_read() as connection, connection.default_channel.conn_or_acquire() as client:
        client.set(dispatcher.STREAM, "not a stream")  # the client adds the prefix
        assert app.tasks["tiny.double"].delay(1).id
        assert app.tasks["tiny.double"].delay(2).id
        assert connection.default_channel.client.llen("tiny") == 2
    assert len([r for r in caplog.records if "missing in the stream" in r.message]) == 1
