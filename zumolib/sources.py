"""Where a recorder takes events from: three ways, told apart by what they can lose.

=========  =========================================  ==========================================
`kind`     broker                                     events while no recorder runs
=========  =========================================  ==========================================
queue      RabbitMQ                                   kept in a durable queue of our own
stream     Redis, Valkey, app with our dispatcher     kept in a capped stream
pubsub     any other                                  lost
=========  =========================================  ==========================================

The queue is there from the first recorder's first connection on: what RabbitMQ was sent before that is
nobody's. What was taken stays the broker's until :meth:`settle`, except with pubsub. So an event may come
twice, and folding takes care of that.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

from celery import Celery
from celery.events.event import get_exchange
from kombu.entity import Queue
from kombu.exceptions import ContentDisallowed, DecodeError, KombuError
from kombu.messaging import Consumer
from kombu.utils.json import loads

from zumolib import dispatch
from zumolib.history import Source as Kind

logger = logging.getLogger(__name__)

QUEUE = "celeryev.zumo"
GROUP = "zumo"

# Messages in flight: enough to fill a flush at full speed, few enough for the memory of both sides.
PREFETCH = 5_000

# Longer than a recorder waits between two flushes, whatever its disk does.
CLAIM_IDLE_MS = 60_000
CLAIM_EVERY = 30.0  # seconds
TRIM_EVERY = 60.0  # seconds

CONNECT_SECONDS = 5.0
AMQP_HEARTBEAT = 30.0  # seconds; finds a connection that died without a word


@dataclass(frozen=True)
class Taken:
    """One message: an event, or a list of them, or what is neither."""

    body: Any
    received: float  # seconds since 1970, by the broker's clock where it gives one
    problem: str = ""  # why `body` is not decoded


class Source(Protocol):
    """A connection to a broker; for one thread."""

    kind: Kind

    def take(self, timeout: float) -> list[Taken]:
        """Messages that come within `timeout` seconds; waits no longer once there are some."""

    def full(self) -> bool:
        """Whether no more comes until what was taken is settled."""

    def settle(self) -> None:
        """Tell the broker that all messages taken are on disk."""

    def waiting(self) -> int | None:
        """Messages at the broker that no recorder has taken; None if unknown."""

    def close(self) -> None:
        """Drop the connection; what is not settled stays the broker's."""


def connect(app: Celery, name: str) -> Source:
    """The source that fits the app's broker.

    Parameters
    ----------
    app
        Any Celery app.
    name
        The recorder's; two of the same name would take each other's messages.
    """
    connection = app.connection_for_read(connect_timeout=CONNECT_SECONDS, heartbeat=AMQP_HEARTBEAT)
    try:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
        driver = connection.transport.driver_type
        if driver == "redis" and isinstance(app.events, dispatch.Events):
            return _Stream(connection, name)
        return _Messages(app, connection, durable=driver == "amqp")
    except BaseException:
        connection.release()
        raise


def errors(app: Celery) -> tuple[type[BaseException], ...]:
    """What a source raises when its broker goes away or refuses."""
    transport = app.connection_for_read().get_transport_cls()
    return (*transport.connection_errors, *transport.channel_errors, KombuError, OSError)


class _Stream:
    """A consumer of a group on the stream that our dispatcher writes."""

    kind: Kind = "stream"

    def __init__(self, connection: Any, name: str) -> None:
        self._connection = connection
        self._consumer = name
        channel = connection.default_channel
        self._key = dispatch.stream_key(channel)
        self._client = channel._create_client()
        self._taken: list[bytes] = []
        # What this name had taken and not settled when it last died comes first.
        self._own_since: bytes | None = b"0"
        self._claim_at = self._trim_at = 0.0
        self._make_group()

    def take(self, timeout: float) -> list[Taken]:
        if self.full():
            time.sleep(timeout)
            return []
        if self._own_since is not None:
            found = self._read(self._own_since, None)
            self._own_since = found[-1][0] if found else None
            if found:
                return self._messages(found)
        if time.monotonic() >= self._claim_at:
            self._claim_at = time.monotonic() + CLAIM_EVERY
            claimed = self._command(
                "XAUTOCLAIM", self._key, GROUP, self._consumer, CLAIM_IDLE_MS, "0", "COUNT", PREFETCH
            )[1]
            own = set(self._taken)
            claimed = [item for item in claimed if _bytes(item[0]) not in own]
            if claimed:
                return self._messages(claimed)
        return self._messages(self._read(b">", max(1, int(timeout * 1000))))

    def full(self) -> bool:
        return len(self._taken) >= PREFETCH

    def settle(self) -> None:
        if self._taken:
            self._command("XACK", self._key, GROUP, *self._taken)
            self._taken = []
        if time.monotonic() >= self._trim_at:
            self._trim_at = time.monotonic() + TRIM_EVERY
            self._trim()

    def waiting(self) -> int | None:
        for group in self._groups():
            if group["name"] == GROUP:
                lag = group.get("lag")
                return None if lag is None else int(lag)
        return None

    def close(self) -> None:
        self._client.close()
        self._connection.release()

    def _make_group(self) -> None:
        try:
            # From the start: what was sent before the first recorder came is history as well.
            self._command("XGROUP", "CREATE", self._key, GROUP, "0", "MKSTREAM")
        except Exception as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _command(self, *words: Any) -> Any:
        # Raw replies: the client's parsing of these commands differs between its versions, and kombu's
        # prefixing client does not know them.
        self._client.response_callbacks.pop(words[0], None)
        return self._client.execute_command(*words)

    def _read(self, since: bytes, block_ms: int | None) -> list[Any]:
        block = () if block_ms is None else ("BLOCK", block_ms)
        words = ("XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", PREFETCH - len(self._taken))
        try:
            reply = self._command(*words, *block, "STREAMS", self._key, since)
        except Exception as error:
            if "NOGROUP" not in str(error):
                raise
            logger.warning("The stream %s was deleted; made anew", self._key)
            self._make_group()
            return []
        if not reply:
            return []
        streams = reply.values() if isinstance(reply, dict) else (pair[1] for pair in reply)
        return [item for items in streams for item in items]

    def _messages(self, items: Iterable[Any]) -> list[Taken]:
        found = []
        for item_id, fields in items:
            item_id = _bytes(item_id)
            self._taken.append(item_id)
            if fields is None:  # trimmed away while it was pending: nothing is left to read
                continue
            values = dict(zip(fields[::2], fields[1::2], strict=True)) if isinstance(fields, list) else fields
            raw = values.get(dispatch.FIELD, values.get(dispatch.FIELD.decode()))
            received = int(item_id.partition(b"-")[0]) / 1000
            try:
                found.append(Taken(loads(raw), received))
            except (ValueError, TypeError, RecursionError) as error:
                found.append(Taken(raw if raw is not None else repr(values), received, f"no JSON: {error}"))
        return found

    def _groups(self) -> list[dict[str, Any]]:
        groups = []
        for reply in self._command("XINFO", "GROUPS", self._key):
            pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
            groups.append({_text(key): _text(value) for key, value in pairs})
        return groups

    def _trim(self) -> None:
        """Give back the memory of what every group has read and settled."""
        oldest = []
        for group in self._groups():
            pending = self._command("XPENDING", self._key, group["name"])
            first = pending[1] if pending and pending[0] else group["last-delivered-id"]
            oldest.append(_bytes(first))
        if oldest:
            least = min(oldest, key=lambda item_id: tuple(int(part) for part in item_id.split(b"-")))
            self._command("XTRIM", self._key, "MINID", "~", least)


class _Messages:
    """A kombu consumer: on a durable queue of our own, or on one that lives as long as we do."""

    def __init__(self, app: Celery, connection: Any, *, durable: bool) -> None:
        self.kind: Kind = "queue" if durable else "pubsub"
        self._connection = connection
        self._durable = durable
        self._got: list[Taken] = []
        self._last: Any = None
        self._unsettled = 0
        self._channel = connection.channel()
        exchange = get_exchange(connection, name=app.conf.event_exchange)
        self._queue = self._declare(exchange) if durable else self._passing(exchange)
        self._consumer = Consumer(
            self._channel,
            [self._queue],
            on_message=self._on_message,
            no_ack=not durable,
            auto_declare=not durable,
            prefetch_count=PREFETCH if durable else None,
        )
        self._consumer.consume()

    def take(self, timeout: float) -> list[Taken]:
        until = time.monotonic() + timeout
        wait = timeout
        while len(self._got) < PREFETCH and wait > 0:
            try:
                self._connection.drain_events(timeout=wait)
            except (socket.timeout, TimeoutError):  # noqa: UP041 - kombu's virtual transports raise the former
                break
            # Whatever else is here already comes along; nothing more is waited for.
            wait = min(0.001, until - time.monotonic())
        if self._durable:
            self._connection.heartbeat_check()
        found, self._got = self._got, []
        return found

    def full(self) -> bool:
        return self._unsettled >= PREFETCH

    def settle(self) -> None:
        if self._last is not None:
            self._last.ack(multiple=True)
            self._last = None
        self._unsettled = 0

    def waiting(self) -> int | None:
        if not self._durable:
            return None
        return int(self._queue(self._channel).queue_declare(passive=True).message_count)

    def close(self) -> None:
        self._connection.release()

    def _on_message(self, message: Any) -> None:
        now = time.time()
        if self._durable:
            self._last = message
            self._unsettled += 1
        try:
            self._got.append(Taken(message.decode(), now))
        except (DecodeError, ContentDisallowed, ValueError, TypeError, LookupError, RecursionError) as error:
            self._got.append(Taken(message.body, now, f"{message.content_type}: {error}"))

    def _declare(self, exchange: Any) -> Queue:
        # A quorum queue keeps Celery's transient events over a restart of the broker, a classic one
        # does not. Capped, so that a recorder that never comes back cannot fill the broker's disk.
        arguments = {"x-queue-type": "quorum", "x-max-length": dispatch.MAXLEN, "x-overflow": "drop-head"}
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

    def _passing(self, exchange: Any) -> Queue:
        return Queue(
            f"celeryev.{uuid4()}", exchange, routing_key="#", durable=False, auto_delete=True, exclusive=False
        )


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
