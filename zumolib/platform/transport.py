"""kombu's Redis transport, without the moment in which a message is nowhere, and through a lost connection.

kombu takes a message from its list with BRPOP and then notes it as unacknowledged. A worker, or a server,
that is killed between the two loses it. Here a message is noted in a hash by the same script that takes it
from its list, and the note goes in the transaction that notes it as unacknowledged; so whatever dies, and
whenever, :mod:`zumolib.platform.redelivery` finds the message. Only what is on its way is noted, however much waits.

A script cannot wait. While all lists are empty a worker waits for a bell, a sorted set by queue that our
producers ring; messages of other producers are found within :data:`PATIENCE`. What lies in a list and is
not a message is set aside, where kombu would end the worker.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from dataclasses import dataclass
from importlib.resources import files
from queue import Empty
from typing import Any

from kombu.log import get_logger
from kombu.transport import redis, virtual
from kombu.utils.json import dumps, loads
from redis.exceptions import ConnectionError

logger = get_logger(__name__)

NOTES = "zumo.taken"  # delivery tag: when it was taken, from which list, and the message
BELL = "zumo.bell."  # and the queue's name
TAKE = (files("zumolib.platform") / "take.lua").read_text()
PATIENCE = 0.5  # seconds for which a worker waits for the bell before it looks again
EARLIER_NOTES = "zumo.handover"  # where an earlier version kept copies of all that waited
UNREADABLE = "zumo.unreadable"  # what lay in a list and was not a message; the newest of it
MOST_UNREADABLE = 100
WORKER = "zumo-worker:"  # before machine, process id and a random word: the name of a worker's connections

# Delivery tags of the messages that this process took and has not settled, over all its connections.
taken: set[str] = set()


# Name of the connections of this worker and of its pool's processes, which inherit it; empty elsewhere.
worker = ""


def name_worker() -> str:
    """Give the connections of this process, and of those that it forks, a name by which other workers see it."""
    global worker
    # A process id comes again, as that of a container's only process does with each start.
    worker = worker or f"{WORKER}{process_name()}:{secrets.token_hex(4)}"
    return worker


def process_name() -> str:
    """Machine and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True)
class Note:
    """A message that was taken from its list and is not yet noted as unacknowledged."""

    key: str  # of the list, as the server knows it
    message: bytes
    owner: str  # the worker, or the process, that took it
    at: int  # seconds since 1970, by the server's clock


class QoS(redis.QoS):
    """Notes what was delivered, and forgets in the same transaction that it was on its way."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note a message as unacknowledged."""
        delivery = message.delivery_info
        origin = dumps([message._raw, delivery["exchange"], delivery["routing_key"]])
        with self.pipe_or_acquire() as pipe:
            pipe.zadd(self.unacked_index_key, {delivery_tag: time.time()})
            pipe.hset(self.unacked_key, delivery_tag, origin)
            pipe.hdel(NOTES, delivery_tag)
            pipe.execute()
        virtual.QoS.append(self, message, delivery_tag)
        taken.add(delivery_tag)

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
    """Takes messages by the script, and rings for those that it puts into a list."""

    QoS = QoS
    _in_poll: Any
    _brpop_sent_at: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._known: dict[bool, dict[str, Any]] = {}  # how to connect, asynchronously or not
        self._acknowledging: dict[str, bool] = {}  # consumer tag: whether it settles what it takes
        # Queues of the lists that the script was sent to; empty while we wait for the bell, None where kombu
        # itself takes.
        self._asked: list[str] | None = None
        self._found_nothing = False
        self._process = os.getpid()
        super().__init__(*args, **kwargs)

    def close(self) -> None:
        """Close; a forked process leaves alone what its parent waits for on the connection that both have."""
        if self._process != os.getpid():
            self._in_poll = None
        super().close()

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, consumer_tag: str, **kwargs: Any) -> Any:
        """Consume; a consumer that acknowledges nothing is served as kombu does."""
        self._acknowledging[consumer_tag] = not no_ack
        return super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)

    def _basic_cancel(self, consumer_tag: str) -> Any:
        self._acknowledging.pop(consumer_tag, None)
        return super()._basic_cancel(consumer_tag)

    def _brpop_start(self, timeout: float | None = None) -> None:
        if not any(self._acknowledging.values()):
            self._asked = None
            super()._brpop_start(timeout)
            return
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        self._in_poll = self.client.connection
        self._brpop_sent_at = time.monotonic()
        if self._found_nothing:
            self._asked, bells = [], [self._prefixed(BELL + queue) for queue in queues]
            self._in_poll.send_command("BZPOPMIN", *bells, PATIENCE)
            return
        lists = [(queue, step) for step in self.priority_steps for queue in queues]
        self._asked = [queue for queue, _ in lists]
        self._in_poll.send_command(*self._taking([self._q_for_pri(queue, step) for queue, step in lists]))

    def _brpop_read(self, **options: Any) -> bool:
        asked, self._asked = self._asked, None
        if asked is None:
            return bool(super()._brpop_read(**options))
        try:
            try:
                # As the reply of a script in both cases: it is not parsed any further.
                reply = self.client.parse_response(self.client.connection, "EVAL", **options)
            except self.connection_errors:
                self.client.connection.disconnect()  # the next round connects again
                raise
            # After the bell, or a message, the lists are looked into; after nothing, the bell is waited for.
            self._found_nothing = bool(asked) and not reply
            if not asked or not reply:
                raise Empty
            position, item = reply
            self._queue_cycle.rotate(asked[position])
            self._pass_on(item, asked[position])
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    def _pass_on(self, item: bytes, queue: str) -> None:
        try:
            message = loads(item.decode())
            tag = _tag(message)
        except (ValueError, KeyError, TypeError) as error:
            self._set_aside(item, queue, error)
            return
        self.connection._deliver(message, queue)
        if tag not in taken:  # its consumer acknowledges nothing, or did so already
            self.forget(tag)

    def _set_aside(self, item: bytes, queue: str, error: Exception) -> None:
        logger.error(
            "What lay in %s is not a message (%d bytes, %s: %s); it is kept in the list %s",
            *(queue, len(item), type(error).__name__, error, UNREADABLE),
        )
        key = self._prefixed(UNREADABLE)
        with self.conn_or_acquire() as client, client.pipeline() as pipe:
            pipe.execute_command("LPUSH", UNREADABLE, item[:100_000])
            pipe.ltrim(key, 0, MOST_UNREADABLE - 1)
            pipe.execute()

    def _get(self, queue: str) -> dict[str, Any]:  # type: ignore[override]  # as kombu itself does
        words = self._taking([self._q_for_pri(queue, step) for step in self.priority_steps])
        with self.conn_or_acquire() as client:
            reply = client.execute_command(*words)
            self._maybe_update_queues_expire(client, queue)
        if not reply:
            raise Empty
        message: dict[str, Any] = loads(reply[1].decode())
        return message

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        """Take one message; what is not to be acknowledged is not noted any longer."""
        message = super().basic_get(queue, no_ack=no_ack, **kwargs)
        if message is not None and no_ack:
            self.forget(message.delivery_tag)
        return message

    def _taking(self, lists: list[str]) -> tuple[Any, ...]:
        keys = [self._prefixed(key) for key in (NOTES, *lists)]
        return ("EVAL", TAKE, len(keys), *keys, worker or process_name())

    def _put(self, queue: str, message: dict[str, Any], **options: Any) -> None:
        batch = options.get("_publish_batch")
        super()._put(queue, message, **options)
        if "task" not in message["headers"]:
            return
        if batch is not None:
            batch.add("zadd", BELL + queue, {"1": 0})
            return
        with self.conn_or_acquire() as client:
            client.zadd(BELL + queue, {"1": 0})

    def _prefixed(self, key: str) -> str:
        return f"{self.global_keyprefix}{key}"

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        # Once the connection was lost kombu finds no parameters here, and the worker does not survive the
        # AttributeError. What still has to be acknowledged goes where it came from.
        if self.connection is not None and self.connection.client is not None:
            self._known[asynchronous] = super()._connparams(asynchronous=asynchronous)
            if worker:
                self._known[asynchronous]["client_name"] = worker
        elif asynchronous not in self._known:
            raise ConnectionError("the channel was closed with its lost connection")
        return dict(self._known[asynchronous])

    def notes(self) -> dict[str, Note]:
        """Messages that were taken from their list and never noted as unacknowledged, by delivery tag."""
        with self.conn_or_acquire() as client:
            noted = client.hgetall(self._prefixed(NOTES))
        return {tag.decode(): _note(value) for tag, value in noted.items()}

    def forget(self, *tags: str) -> None:
        """Drop the notes of messages that are safe elsewhere."""
        if tags:
            with self.conn_or_acquire() as client:
                client.hdel(NOTES, *tags)

    def put_back(self, tag: str, note: Note) -> None:
        """Put a lost message to the front of its list, and drop its note, in one transaction."""
        # The list's key has its prefix already, and the client would add another.
        script = "if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 then redis.call('RPUSH', KEYS[2], ARGV[2]) end"
        with self.conn_or_acquire() as client:
            client.execute_command("EVAL", script, 2, self._prefixed(NOTES), note.key, tag, note.message)


class Transport(redis.Transport):
    """kombu's transport with our channel."""

    Channel = Channel


def _tag(message: dict[str, Any]) -> str:
    return str(message["properties"]["delivery_tag"])


def _note(value: bytes) -> Note:
    at, owner, size, rest = value.split(b" ", 3)
    return Note(rest[: int(size)].decode(), rest[int(size) :], owner.decode(), int(at))
