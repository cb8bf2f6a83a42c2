"""Events as they pass by, for brokers that keep none: who does not listen at that moment has lost them."""

from __future__ import annotations

import socket
import time
from functools import partial
from typing import Any
from uuid import uuid4

from celery import Celery
from celery.events.event import get_exchange
from kombu.entity import Queue
from kombu.messaging import Consumer
from kombu.transport import virtual

from zumolib.history import Source as Kind
from zumolib.recorder import intake
from zumolib.recorder.columns import Message
from zumolib.recorder.sources.clock import Clock

BATCH = 5_000  # messages of one take


class PubSub:
    """A kombu consumer on a queue that lives as long as we do."""

    kind: Kind = "pubsub"
    lost = 0  # it cannot know
    capped = False

    def __init__(self, app: Celery, connection: Any, clock: Clock) -> None:
        self._clock = clock
        self._connection = connection
        self._got: list[Message] = []
        exchange = get_exchange(connection, name=app.conf.event_exchange)
        name = f"{app.conf.event_queue_prefix}.{uuid4()}"
        queue = Queue(name, exchange, routing_key="#", durable=False, auto_delete=True)
        channel = connection.channel()
        channel.Message = _Packed
        self._consumer = Consumer(channel, [queue], on_message=self._on_message, no_ack=True)
        self._consumer.consume()

    def take(self, timeout: float) -> list[Message]:
        """What comes within the time."""
        until = time.monotonic() + timeout
        wait = timeout
        while len(self._got) < BATCH and wait > 0:
            try:
                self._connection.drain_events(timeout=wait)
            except (socket.timeout, TimeoutError):  # noqa: UP041 - kombu's virtual transports raise the former
                break
            # Whatever else is here already comes along; nothing more is waited for.
            wait = min(0.001, until - time.monotonic())
        found, self._got = self._got, []
        return found

    def full(self) -> bool:
        """Never: there is nobody who would keep the rest."""
        return False

    def settle(self) -> None:
        """Nothing is to settle."""

    def waiting(self) -> int | None:
        """Unknown."""
        return None

    def close(self) -> None:
        """Drop the connection."""
        self._connection.release()

    def _on_message(self, message: Any) -> None:
        body = (
            message.body if isinstance(message.body, bytes) else str(message.body).encode("utf-8", "replace")
        )
        encoding = message.content_encoding
        compression = message.packed
        plain = message.content_type == "application/json" and encoding == "utf-8" and not compression
        decode = partial(intake.decode, body, message.content_type, encoding, compression)
        self._got.append(Message(body, self._clock.now(), None if plain else decode))


class _Packed(virtual.Message):
    """A message that kombu does not unpack while it takes it, however much would come out."""

    def __init__(self, payload: dict[str, Any], channel: Any = None, **options: Any) -> None:
        headers = dict(payload.get("headers") or {})
        self.packed = headers.pop("compression", None)
        super().__init__({**payload, "headers": headers}, channel=channel, **options)
