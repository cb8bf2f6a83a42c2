"""Events that survive a recorder's absence, on Redis and Valkey.

There Celery's events are pub/sub: who does not listen at that moment never hears of them. Used as
``Celery(events="zumolib.dispatch:Events")``, by workers and producers alike, this dispatcher also
appends every event message, batches as they are, to a capped stream on the same server, database and
key prefix, where a recorder reads it as a consumer group. On other brokers it does nothing of the
kind: RabbitMQ's queues keep what the recorder has not taken.

It also says which entry of the schedule a task came from: beat puts the name in a header, which
Celery leaves out of its events.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Any

import redis
from celery import signals
from celery.app import events as app_events
from celery.events import EventDispatcher
from kombu.utils.json import dumps

logger = logging.getLogger(__name__)

STREAM = "zumo.events"
FIELD = b"events"

# One item is one message of about two events and 600 bytes: at worst 600 MB of the server's memory,
# reached only while no recorder reads (it trims what all groups have read), and then a day of absence
# at ten tasks a second. Approximate, so that the server trims whole nodes: ten times cheaper.
MAXLEN = 1_000_000

# A stream that cannot be written is told once a minute, not once an event.
COMPLAINT_SECONDS = 60.0

# The server does not answer: Celery holds the event and sends it again.
_AWAY = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError)

_entries = threading.local()


def stream_key(channel: Any) -> str:
    """The stream's key on the server of a kombu Redis channel."""
    return f"{channel.global_keyprefix}{STREAM}"


class StreamDispatcher(EventDispatcher):
    """Celery's dispatcher, which also appends to the stream where the broker is Redis or Valkey."""

    maxlen = MAXLEN
    _complained = float("-inf")

    def publish(self, type: str, fields: dict[str, Any], producer: Any, **options: Any) -> Any:
        """Publish one event by a producer of the caller's; this is how task-sent events go."""
        if type == "task-sent":
            entry = _entry_of(fields.get("uuid"))
            if entry is not None:
                fields = {**fields, "entry": entry}
        # A producer's dispatcher is never flushed by Celery: what it holds since a failure goes out here.
        with self.mutex:
            for _ in range(0 if self.enabled else len(self._outbound_buffer)):
                held, routing_key = self._outbound_buffer.popleft()
                self._publish(held, producer, routing_key)
        return super().publish(type, fields, producer, **options)

    def _publish(self, event: Any, producer: Any, routing_key: str, **options: Any) -> Any:
        # First the stream: where publishing then fails, Celery keeps the event and comes here again,
        # and a duplicate folds away, while the other order could lose it.
        if producer is not None:
            try:
                self._append(event, producer)
            except _AWAY:
                # Published now, when the server is back in this instant, it would be missing in the stream.
                if not self.buffer_while_offline:
                    raise
                self._outbound_buffer.append((event, routing_key))
                return None
        return super()._publish(event, producer, routing_key, **options)

    def _append(self, event: Any, producer: Any) -> None:
        try:
            channel = producer.channel
            if channel.connection.client.transport.driver_type != "redis":
                return
            with channel.conn_or_acquire() as client:
                client.execute_command(
                    "XADD", stream_key(channel), "MAXLEN", "~", self.maxlen, "*", FIELD, dumps(event)
                )
        except _AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - a task never fails because it cannot be watched
            if time.monotonic() - self._complained > COMPLAINT_SECONDS:
                self._complained = time.monotonic()
                logger.warning("An event is missing in the stream %s: %s", STREAM, error)


class Events(app_events.Events):
    """``app.events`` with our dispatcher."""

    dispatcher_cls = "zumolib.recorder.dispatcher:StreamDispatcher"

    def __init__(self, app: Any = None) -> None:
        super().__init__(app)
        signals.before_task_publish.connect(_remember_entry, dispatch_uid="zumolib.recorder.dispatcher.entry")


def _remember_entry(headers: dict[str, Any] | None = None, **_: Any) -> None:
    """Hold the entry of the task that this thread is about to publish, until its event goes out."""
    headers = headers or {}
    entry = headers.get("periodic_task_name")
    if entry is not None and headers.get("id"):
        held = _entries.__dict__.setdefault("held", deque(maxlen=100))  # a failed publish leaves its own
        held.append((headers["id"], str(entry)))


def _entry_of(task_id: Any) -> str | None:
    held = _entries.__dict__.get("held", ())
    return next((entry for held_id, entry in reversed(held) if held_id == task_id), None)
