"""kombu's Redis transport, without the moment in which a message is nowhere, and through a lost connection.

A worker takes a message from its list with BRPOP and then notes it as unacknowledged. A worker, or a
server, that is killed between the two loses it. Here every task message is also noted in a hash from
before it is put into a list until it is noted as unacknowledged, so :mod:`zumolib.redelivery` finds what
was lost. Messages of other producers, without this transport, travel as ever.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import redis
from kombu.utils.json import dumps, loads
from redis.exceptions import ConnectionError

HANDOVER = "zumo.handover"  # delivery tag: [queue, message], of messages not known to be anywhere else


# Delivery tags of the messages that this process took and has not settled, over all its connections.
taken: set[str] = set()


class QoS(redis.QoS):
    """Notes what was delivered, and only then forgets that it was on its way."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note a message as unacknowledged."""
        super().append(message, delivery_tag)
        taken.add(delivery_tag)
        self.channel.handed_over(delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Settle a message."""
        super().ack(delivery_tag)
        taken.discard(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Settle a message, or give it back."""
        super().reject(delivery_tag, requeue=requeue)
        taken.discard(delivery_tag)

    def restore_by_tag(self, tag: str, client: Any = None, leftmost: bool = False) -> None:
        """Give a message back."""
        super().restore_by_tag(tag, client=client, leftmost=leftmost)
        taken.discard(tag)


class Channel(redis.Channel):
    """Notes every task message before it is put into a list."""

    QoS = QoS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._known: dict[bool, dict[str, Any]] = {}  # how to connect, asynchronously or not
        super().__init__(*args, **kwargs)

    def _put(self, queue: str, message: dict[str, Any], **options: Any) -> None:
        if "task" in message["headers"]:
            with self.conn_or_acquire() as client:
                client.hset(self._handover, _tag(message), dumps([queue, message]))
        super()._put(queue, message, **options)

    def _get(self, queue: str) -> dict[str, Any]:  # type: ignore[override]  # as kombu itself does
        message: dict[str, Any] = super()._get(queue)
        self.handed_over(_tag(message))
        return message

    def _do_restore_message(
        self, payload: dict[str, Any], exchange: str, routing_key: str, pipe: Any, leftmost: bool = False
    ) -> None:
        for queue in self._lookup(exchange, routing_key):
            pipe.hset(self._handover, _tag(payload), dumps([queue, payload]))
        super()._do_restore_message(payload, exchange, routing_key, pipe, leftmost)

    def _purge(self, queue: str) -> int:
        count: int = super()._purge(queue)
        self.handed_over(*(tag for tag, (its_queue, _) in self.on_their_way().items() if its_queue == queue))
        return count

    @property
    def _handover(self) -> str:
        return f"{self.global_keyprefix}{HANDOVER}"

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        # Once the connection was lost kombu finds no parameters here, and the worker does not survive the
        # AttributeError. What still has to be acknowledged goes where it came from.
        if self.connection is not None and self.connection.client is not None:
            self._known[asynchronous] = super()._connparams(asynchronous=asynchronous)
        elif asynchronous not in self._known:
            raise ConnectionError("the channel was closed with its lost connection")
        return dict(self._known[asynchronous])

    def on_their_way(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Messages that wait in a list or were lost between a list and a worker: queue and message by tag."""
        with self.conn_or_acquire() as client:
            noted = client.hgetall(self._handover)
        return {tag.decode(): tuple(loads(value.decode())) for tag, value in noted.items()}

    def handed_over(self, *tags: str) -> None:
        """Forget messages that are safe elsewhere."""
        if tags:
            with self.conn_or_acquire() as client:
                client.hdel(self._handover, *tags)

    def waiting(self, queue: str) -> set[str]:
        """Delivery tags of the messages that wait in a queue."""
        with self.conn_or_acquire() as client, client.pipeline(transaction=False) as pipe:
            for priority in self.priority_steps:
                pipe.lrange(self._q_for_pri(queue, priority), 0, -1)
            return {_tag(loads(item.decode())) for items in pipe.execute() for item in items}

    def put_back(self, queue: str, message: dict[str, Any]) -> None:
        """Put a lost message to the front of its queue."""
        key = self._q_for_pri(queue, self._get_message_priority(message, reverse=False))
        with self.conn_or_acquire() as client:
            client.rpush(key, dumps(message))


class Transport(redis.Transport):
    """kombu's transport with our channel."""

    Channel = Channel


def _tag(message: dict[str, Any]) -> str:
    return str(message["properties"]["delivery_tag"])
