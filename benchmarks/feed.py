"""The event messages of a real worker, recorded once and published again as often as wanted."""

from __future__ import annotations

import json
import re
import socket
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from struct import pack
from typing import Any
from uuid import uuid4

import kombu
from celery.events.event import get_exchange
from kombu.utils.json import dumps

from tests.integration import tiny
from tests.services.processes import process
from zumolib.recorder import dispatcher

ROUTING_KEY = "task.multi"
_OF_WORKERS = (b"received", b"started", b"succeeded")
_ID = re.compile(rb'"([0-9a-f]{8})(-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"')
_TAIL = re.compile(rb"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-)[0-9a-f]{12}")


def record(url: str, tasks: int) -> list[bytes]:
    """Let a worker with two processes run this many tasks, and keep every event message as it was sent."""
    app = tiny.make(url)
    found: list[bytes] = []
    ended = 0

    def keep(message: Any) -> None:
        nonlocal ended
        body = message.body if isinstance(message.body, bytes) else message.body.encode()
        found.append(body)
        ended += body.count(b'"task-succeeded"')

    words = ["celery", "-A", "tests.integration.tiny", "worker", "-c", "2", "-E", "-l", "error"]
    with tempfile.TemporaryDirectory() as folder, app.connection_for_read() as connection:
        queue = kombu.Queue(
            f"recording.{uuid4()}", get_exchange(connection), routing_key="#", auto_delete=True, durable=False
        )
        with kombu.Consumer(connection, [queue], on_message=keep, no_ack=True):
            # The worker finds them all waiting, as a busy one does.
            for number in range(tasks):
                app.tasks["tiny.double"].delay(number)
                _drain(connection, 0)
            with process(words, Path(folder) / "log", {"TINY_BROKER": url}):
                while ended < tasks:
                    _drain(connection)
    # What the producer and the heartbeats sent is left out: that came alone, and not from running tasks.
    return [body for body in found if any(b'"task-%s"' % kind in body for kind in _OF_WORKERS)]


def _drain(connection: Any, seconds: float = 1.0) -> None:
    try:
        while True:
            connection.drain_events(timeout=seconds or 1e-6)
            seconds = 0.001
    except TimeoutError:
        pass


def multiply(bodies: Sequence[bytes], events: int) -> tuple[list[bytes], int]:
    """Messages of at least this many events, each repetition with task ids of its own; and how many."""
    made: list[bytes] = []
    counted = 0
    sizes = [size(body) for body in bodies]
    for turn in count(1):
        again = partial(_renamed, turn * 0x9E3779B1 & 0xFFFFFFFF)
        for body, number in zip(bodies, sizes, strict=True):
            made.append(_ID.sub(again, body))
            counted += number
            if counted >= events:
                return made, counted
    raise AssertionError("endless")


def _renamed(turn: int, found: re.Match[bytes]) -> bytes:
    return b'"%08x%s"' % (int(found[1], 16) ^ turn, found[2])


def renewed(text: bytes, tail: bytes) -> bytes:
    """The same messages with other task ids: all of them end anew, and begin as they did."""
    return _TAIL.sub(rb"\g<1>" + tail, text)


def size(body: bytes) -> int:
    """Events in a message."""
    decoded = json.loads(body)
    return len(decoded) if isinstance(decoded, list) else 1


def publish(url: str, bodies: Iterable[bytes], *, stream: bool = False) -> float:
    """Publish as fast as the broker takes it; returns seconds. `stream`: as our dispatcher does, on Valkey."""
    began = time.perf_counter()
    # A broker that makes its publishers wait is not gone; py-amqp takes it for that after one second.
    patient = {} if url.startswith("redis") else {"socket_settings": {socket.TCP_USER_TIMEOUT: 600_000}}
    with kombu.Connection(url, transport_options=patient) as connection:
        if not url.startswith("redis"):
            channel = connection.channel()
            exchange = get_exchange(connection)
            exchange(channel).declare()
            told = channel.prepare_message(
                b"", 0, "application/json", "utf-8", {"hostname": "bench"}, {"delivery_mode": 1}
            )
            held: list[bytes] = []
            for body in bodies:
                held.append(_frames(channel.channel_id, body, told._serialize_properties()))
                if len(held) >= 200:
                    connection.connection.transport.write(b"".join(held))
                    held = []
            connection.connection.transport.write(b"".join(held))
            # Answered after all that was published before it.
            channel.queue_declare(f"last.{uuid4()}", exclusive=True)
        else:
            channel = connection.default_channel
            topic = channel._get_publish_topic("celeryev", ROUTING_KEY)
            with channel.conn_or_acquire() as client:
                pipe = client.pipeline(transaction=False)
                for number, body in enumerate(bodies, 1):
                    if stream:
                        pipe.execute_command(
                            "XADD",
                            dispatcher.STREAM,
                            "MAXLEN",
                            "~",
                            dispatcher.MAXLEN,
                            "*",
                            dispatcher.FIELD,
                            body,
                        )
                    pipe.publish(topic, _envelope(channel, body))
                    if number % 500 == 0:
                        pipe.execute()
                pipe.execute()
    return time.perf_counter() - began


def _frames(channel: int, body: bytes, properties: bytes) -> bytes:
    """A publication as AMQP spells it: method, header and body. py-amqp needs twenty times as long for it."""
    key = ROUTING_KEY.encode()
    method = b"\x00\x3c\x00\x28\x00\x00\x08celeryev" + bytes([len(key)]) + key + b"\x00"
    header = pack(">HHQ", 60, 0, len(body)) + properties
    return b"".join(
        pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"
        for kind, payload in ((1, method), (2, header), (3, body))
    )


def _envelope(channel: Any, body: bytes) -> str:
    """What kombu's Redis transport puts around a message."""
    message = channel.prepare_message(
        body.decode(), 0, "application/json", "utf-8", {"hostname": "bench"}, {"delivery_mode": 1}
    )
    channel._inplace_augment_message(message, "celeryev", ROUTING_KEY)
    return dumps(message)


if __name__ == "__main__":
    # A publisher of its own, so that it shares no interpreter with what measures: bodies come as lines.
    print(publish(sys.argv[1], (line.rstrip(b"\n") for line in sys.stdin.buffer), stream=len(sys.argv) > 2))
