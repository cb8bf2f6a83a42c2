"""A durable queue of our own on Celery's event exchange, on RabbitMQ."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery import Celery
from celery.events.event import get_exchange
from kombu.entity import Queue

from zumolib.history import Source as Kind
from zumolib.recorder import dispatcher
from zumolib.recorder.columns import Message
from zumolib.recorder.sources.clock import Clock
from zumolib.recorder.sources.deliveries import Deliveries

logger = logging.getLogger(__name__)

QUEUE = "celeryev.zumo"

# Messages in flight. A flush begins at half of it, so that the broker goes on sending meanwhile.
PREFETCH = 20_000

# Bytes in flight, for messages far larger than Celery's: about 600 bytes a message are usual.
PREFETCH_BYTES = 32_000_000


class DurableQueue:
    """A consumer of the queue, which it declares."""

    kind: Kind = "queue"
    lost = 0  # what the cap drops, the broker drops in silence

    def __init__(self, app: Celery, connection: Any, clock: Clock) -> None:
        self._connection = connection
        self._channel = connection.channel()
        self._queue = self._declare(get_exchange(connection, name=app.conf.event_exchange))
        # The oldest go in silence, and no figure of the broker's tells how many: the events' own clocks
        # have gaps by nature, and its counters are of all queues together and begin anew with the node.
        self.capped = (self.waiting() or 0) >= dispatcher.MAXLEN
        self._channel.basic_qos(0, PREFETCH, False)
        self._deliveries = Deliveries(connection.connection, self._channel, QUEUE, clock)
        self._unsettled = self._bytes = 0

    def take(self, timeout: float) -> list[Message]:
        """What the broker has sent by now, or sends within the time."""
        if self._unsettled >= PREFETCH or self._bytes >= PREFETCH_BYTES:
            # Nothing more comes, or may come; the heartbeat has to be kept up all the same.
            time.sleep(timeout)
            found = []
        else:
            found = self._deliveries.take(timeout)
        self._connection.heartbeat_check()
        self._unsettled += len(found)
        self._bytes += sum(len(message.body) for message in found)
        return found

    def full(self) -> bool:
        """Whether half of what may be in flight is."""
        return self._unsettled >= PREFETCH // 2 or self._bytes >= PREFETCH_BYTES // 2

    def settle(self) -> None:
        """Acknowledge all that was taken."""
        if self._unsettled:
            self._channel.basic_ack(self._deliveries.tag, multiple=True)
        self._unsettled = self._bytes = 0

    def waiting(self) -> int | None:
        """Messages that are ready in the queue."""
        return int(self._queue(self._channel).queue_declare(passive=True).message_count)

    def close(self) -> None:
        """Drop the connection."""
        self._connection.release()

    def _declare(self, exchange: Any) -> Queue:
        # A quorum queue keeps Celery's transient events over a restart of the broker, a classic one
        # does not. Capped, so that a recorder that never comes back cannot fill the broker's disk.
        arguments = {"x-queue-type": "quorum", "x-max-length": dispatcher.MAXLEN, "x-overflow": "drop-head"}
        version = str(self._connection.connection.server_properties.get("version", "0"))
        if int(version.partition(".")[0]) >= 4:
            # From 4.0 on a message that was taken 20 times by recorders that died would be dropped.
            arguments["x-delivery-limit"] = -1
        queue = Queue(QUEUE, exchange, routing_key="#", durable=True, queue_arguments=arguments)
        try:
            queue(self._channel).declare()
        except self._connection.channel_errors as error:
            if getattr(error, "reply_code", None) != 406:
                raise
            logger.warning("%s was declared differently before; it is used as it is: %s", QUEUE, error)
            self._channel = self._connection.channel()
        return queue
