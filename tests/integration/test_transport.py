"""Our Redis transport on a real Valkey: a message is always somewhere, and what waits costs nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from kombu import Connection, Consumer, Producer, Queue

from tests.services.valkey import Valkey
from zumolib.platform import redelivery, transport

QUEUES = [Queue("first", routing_key="first"), Queue("second", routing_key="second")]


@pytest.fixture
def url(valkey_server: Valkey) -> str:
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
    return valkey_server.url


@pytest.fixture(params=["", "tenant:"], ids=["plain", "prefixed"])
def connection(url: str, request: pytest.FixtureRequest) -> Iterator[Connection]:
    options = {"global_keyprefix": request.param}
    with Connection(url, transport="zumolib.platform.transport:Transport", transport_options=options) as made:
        yield made


@pytest.fixture
def client(url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(url) as made:
        yield made


def send(connection: Connection, number: int, *, queue: str = "first", task: bool = True) -> None:
    headers = {"task": "some.task", "id": str(number)} if task else {}
    Producer(connection.channel()).publish(
        {"number": number}, routing_key=queue, headers=headers, declare=QUEUES, serializer="json"
    )


def take(connection: Connection, count: int, **options: Any) -> list[Any]:
    """Messages as a consumer gets them, not acknowledged."""
    found: list[Any] = []
    with Consumer(connection.channel(), QUEUES, on_message=found.append, **options):
        for _ in range(count):
            connection.drain_events(timeout=5)
    return found


def test_messages_come_in_their_order_and_are_settled(connection: Connection, client: redis.Redis) -> None:
    for number in range(3):
        send(connection, number)
    found = take(connection, 3)
    assert [message.decode()["number"] for message in found] == [0, 1, 2]
    prefix = connection.transport_options["global_keyprefix"]
    assert client.hlen(f"{prefix}unacked") == 3
    for message in found:
        message.ack()
    assert client.hlen(f"{prefix}unacked") == 0
    assert client.hlen(f"{prefix}{transport.NOTES}") == 0


def test_a_message_that_comes_while_all_is_empty_rings(connection: Connection) -> None:
    found: list[Any] = []
    with connection.clone() as sender, Consumer(connection.channel(), QUEUES, on_message=found.append):
        with pytest.raises(socket.timeout):
            connection.drain_events(timeout=transport.PATIENCE / 2)  # it waits for the bell by now
        send(sender, 7, queue="second")
        connection.drain_events(timeout=5)
    assert [message.decode()["number"] for message in found] == [7]


def test_what_waits_is_kept_once(connection: Connection, client: redis.Redis) -> None:
    for number in range(200):
        send(connection, number)
    prefix = connection.transport_options["global_keyprefix"]
    assert client.llen(f"{prefix}first") == 200
    assert client.hlen(f"{prefix}{transport.NOTES}") == 0
    take(connection, 1)
    assert client.hlen(f"{prefix}{transport.NOTES}") == 0


def test_a_message_taken_by_a_process_that_died_comes_back(connection: Connection) -> None:
    for number in range(3):
        send(connection, number)
    channel = connection.channel()
    lost = channel._get("first")  # as far as a process comes that is killed before it notes it
    assert [note.message for note in channel.notes().values()] != []
    assert redelivery.give_back(channel) == 1
    assert channel.notes() == {}
    found = take(connection, 3)
    assert [message.decode()["number"] for message in found] == [0, 1, 2], lost


def test_what_another_worker_took_is_left_to_it(connection: Connection) -> None:
    send(connection, 1)
    channel = connection.channel()
    channel._get("first")
    assert redelivery.give_back(channel, among=set(), owner="somebody else") == 0
    assert len(channel.notes()) == 1
    mine = transport.worker or transport.process_name()
    assert redelivery.give_back(channel, among=set(), owner=mine) == 1


def test_consumers_that_acknowledge_nothing_leave_no_notes(connection: Connection) -> None:
    send(connection, 1)
    send(connection, 2)
    assert len(take(connection, 1, no_ack=True)) == 1
    channel = connection.channel()
    assert channel.basic_get("first", no_ack=True).decode()["number"] == 2
    assert channel.notes() == {}
    assert channel.basic_get("first") is None


def test_what_is_not_a_message_is_set_aside(connection: Connection, client: redis.Redis) -> None:
    prefix = connection.transport_options["global_keyprefix"]
    hostile = [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"properties": 1}', b'{"properties": {}}']
    for item in hostile:
        client.lpush(f"{prefix}first", item)
    send(connection, 5)
    found = take(connection, len(hostile) + 1)
    assert [message.decode()["number"] for message in found] == [5]
    kept = client.lrange(f"{prefix}{transport.UNREADABLE}", 0, -1)
    assert sorted(kept) == sorted(hostile)


def test_the_earlier_versions_copies_are_dropped_and_not_run(url: str, client: redis.Redis) -> None:
    app = Celery("upgraded", broker=url, set_as_current=False)
    app.conf.broker_transport = "zumolib.platform.transport:Transport"
    client.hset(transport.EARLIER_NOTES, "tag", '["first", {}]')

    class Of:
        """What the step reads of a consumer."""

        def __init__(self) -> None:
            self.app = app

    step = redelivery.GiveBack(Of())
    step.start(Of())
    assert not client.exists(transport.EARLIER_NOTES)
    assert client.llen("first") == 0
    app.close()
