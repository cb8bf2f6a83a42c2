"""Live depths and live workers, asked of real brokers and a real worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from kombu.entity import Queue

from tests.integration import tiny
from tests.services.ports import free_port
from tests.services.rabbitmq import RabbitMQ
from tests.services.valkey import Valkey
from tests.waiting import wait_until
from zumolib.errors import BrokerError
from zumolib.inspection.queues import Depths, depths

Server = Valkey | RabbitMQ


@pytest.fixture(scope="module", params=["valkey", "rabbitmq"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    found: Server = Valkey() if request.param == "valkey" else RabbitMQ(management=True)
    try:
        found.start()
        yield found
    finally:
        found.remove()


def test_depths_of_all_queues(server: Server):
    options = {"global_keyprefix": "ours:"} if isinstance(server, Valkey) else {}
    app = tiny.make(server.url)
    app.conf.broker_transport_options = options
    app.conf.task_queues = [Queue("tiny", max_priority=10), Queue("quiet")]
    for priority in (0, 3, 9, 9):
        app.tasks["tiny.double"].apply_async((1,), priority=priority)
    wait_until(lambda: depths(app)["ready"].sum() == 4, 10, "the messages are in the queue")
    frame = depths(app).set_index("queue")
    assert frame.loc["tiny", "ready"] == 4
    assert frame.attrs["source"] == "broker"
    assert abs((datetime.now(UTC) - frame.attrs["at"]).total_seconds()) < 10
    if isinstance(server, Valkey):
        assert frame.loc["quiet", "ready"] == 0
        assert frame.attrs["unacked_total"] == 0
        assert frame["consumers"].isna().all()
    else:
        # Nobody has declared it: no depth, and not a depth of 0.
        assert frame["ready"].isna()["quiet"]
        assert frame.loc["tiny", "consumers"] == 0
    assert frame["unacked"].isna().all()
    with app.connection_for_write() as connection:
        app.amqp.queues["tiny"](connection.default_channel).delete()


def test_unacked_messages(server: Server):
    app = tiny.make(server.url)
    app.tasks["tiny.double"].delay(1)
    address = server.management_url if isinstance(server, RabbitMQ) else ""
    with app.connection_for_read() as connection, connection.SimpleQueue("tiny") as held:
        message = held.get(timeout=10)
        if isinstance(server, Valkey):
            assert depths(app).attrs["unacked_total"] == 1
        else:
            wait_until(
                lambda: bool(depths(app, management_url=address)["unacked"].fillna(0).eq(1).all()),
                20,
                "the management API counts the message",
            )
            frame = depths(app, management_url=address)
            assert frame.attrs["unacked_age"] > 0
            assert frame["consumers"].tolist() == [1]
            with closing(Depths(app, management_url=address)) as probe:
                # Rates are there once the API has seen two samples of a queue that has moved.
                wait_until(lambda: probe.sample()[0]["rate_in"] is not None, 20, "the API tells a rate")
                [sample] = probe.sample()
                assert sample["rate_in"] >= 0
                assert sample["rate_out"] >= 0
        message.ack()


def test_a_management_api_that_is_down_makes_unacked_unknown(server: Server):
    app = tiny.make(server.url)
    frame = depths(app, management_url=f"http://a:b@127.0.0.1:{free_port()}")
    assert frame["unacked"].isna().all()
    assert "unacked_age" not in frame.attrs
    with closing(Depths(app)) as probe:
        assert {(row["rate_in"], row["rate_out"]) for row in probe.sample()} == {(None, None)}


def test_a_probe_outlives_a_restart_of_its_broker():
    # Valkey only: RabbitMQ's restart is part of the recorder's tests.
    server = Valkey()
    try:
        server.start()
        probe = Depths(tiny.make(server.url))
        assert [row["ready"] for row in probe.sample()] == [0]
        server.stop()
        with pytest.raises(BrokerError):
            probe.sample()
        server.start()
        assert [row["ready"] for row in probe.sample()] == [0]
        probe.close()
    finally:
        server.remove()


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_down_is_named_with_the_remedy(scheme: str) -> None:
    port = free_port()
    app = tiny.make(f"{scheme}://user:secret@127.0.0.1:{port}/")
    with pytest.raises(BrokerError, match=rf"user:\*\*\*@127.0.0.1:{port}.*start the broker") as caught:
        depths(app)
    assert "secret" not in str(caught.value)
