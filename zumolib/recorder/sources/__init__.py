"""Where a recorder takes events from: three ways, told apart by what they can lose.

=========  =========================================  ==========================================
`kind`     broker                                     events while no recorder runs
=========  =========================================  ==========================================
queue      RabbitMQ                                   kept in a durable queue of our own
stream     Redis, Valkey, app with our dispatcher     kept in a capped stream
pubsub     any other                                  lost
=========  =========================================  ==========================================

The queue is there from the first recorder's first connection on: what RabbitMQ was sent before that is
nobody's. What was taken stays the broker's until :meth:`Source.settle`, except with pubsub. So an event
may come twice, and folding takes care of that.
"""

from __future__ import annotations

from typing import Protocol

from celery import Celery
from kombu.exceptions import KombuError

from zumolib.history import Source as Kind
from zumolib.recorder import dispatcher
from zumolib.recorder.columns import Message
from zumolib.recorder.sources.clock import Clock

CONNECT_SECONDS = 5.0
AMQP_HEARTBEAT = 30.0  # seconds; finds a connection that died without a word


class Source(Protocol):
    """A connection to a broker; for one thread."""

    kind: Kind
    lost: int  # messages that were gone when it came to take them
    capped: bool  # the broker kept as many as it may when we connected, so it may have dropped uncounted ones

    def take(self, timeout: float) -> list[Message]:
        """Messages that come within `timeout` seconds; waits no longer once there are some."""

    def full(self) -> bool:
        """Whether what was taken should be settled before more is taken."""

    def settle(self) -> None:
        """Tell the broker that all messages taken are on disk."""

    def waiting(self) -> int | None:
        """Messages at the broker that no recorder has taken; None if unknown."""

    def close(self) -> None:
        """Drop the connection; what is not settled stays the broker's."""


def connect(app: Celery, name: str, clock: Clock | None = None) -> Source:
    """The source that fits the app's broker.

    Parameters
    ----------
    app
        Any Celery app.
    name
        The recorder's; two of the same name would take each other's messages.
    clock
        Tells when messages came, where the broker does not.
    """
    from zumolib.recorder.sources.pubsub import PubSub
    from zumolib.recorder.sources.queue import DurableQueue
    from zumolib.recorder.sources.stream import Stream

    connection = app.connection_for_read(connect_timeout=CONNECT_SECONDS, heartbeat=AMQP_HEARTBEAT)
    try:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
        driver = connection.transport.driver_type
        if driver == "redis" and isinstance(app.events, dispatcher.Events):
            return Stream(connection, name)
        made = DurableQueue if driver == "amqp" else PubSub
        return made(app, connection, clock or Clock())
    except BaseException:
        connection.release()
        raise


def errors(app: Celery) -> tuple[type[BaseException], ...]:
    """What a source raises when its broker goes away or refuses."""
    transport = app.connection_for_read().get_transport_cls()
    return (*transport.connection_errors, *transport.channel_errors, KombuError, OSError)
