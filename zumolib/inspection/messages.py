"""What lies in a queue, read without taking anything out of it.

Redis and Valkey keep a queue as lists, which can be read as they lie. RabbitMQ gives a message only to
who takes it, and putting it back marks it as redelivered and may change its place; so there nothing is
read, and the reason is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kombu.utils.json import loads

from zumolib.errors import InputError
from zumolib.inspection.connection import CONNECT_SECONDS, broker_errors

if TYPE_CHECKING:
    from celery import Celery

NOT_ALLOWED = (
    "this broker shows a message only to who takes it, so what is in a queue is not read; "
    "its depth is known, and the recorded history knows what was sent"
)
PAGE = 1_000  # messages read at once
_readable: dict[tuple[str, str], bool] = {}  # by URL and transport of a broker


@dataclass(frozen=True)
class Lying:
    """A task message as it lies on the broker."""

    id: str
    name: str
    queue: str  # or the routing key, where no queue of the app has it
    held: bool  # a worker has it and has not acknowledged it
    priority: int | None
    eta: str | None  # ISO 8601
    payload: dict[str, Any]  # kombu's message, undecoded

    def arguments(self, app: Celery) -> tuple[list[Any], dict[str, Any]]:
        """The real arguments, out of the message's body.

        Raises
        ------
        InputError
            When the body cannot be read, for example for its serializer.
        """
        with _opened(app) as (channel, _):
            try:
                args, kwargs, _embed = channel.message_to_python(self.payload).decode()
            except Exception as error:
                raise InputError(
                    f"the message of task {self.id} cannot be read ({type(error).__name__}: {error}); "
                    "call the task anew"
                ) from error
        return list(args), dict(kwargs)


def allowed(app: Celery) -> bool:
    """Whether this app's broker lets messages be read where they lie."""
    # Asked before every call, and to find out takes a millisecond.
    place = (str(app.conf.broker_read_url or app.conf.broker_url), str(app.conf.broker_transport))
    if place not in _readable:
        _readable[place] = app.connection_for_read().get_transport_cls().driver_type == "redis"
    return _readable[place]


def waiting(app: Celery, queue: str, *, limit: int | None = None) -> Iterator[Lying]:
    """Task messages that wait in a queue, the next to be taken first.

    Parameters
    ----------
    limit
        Most messages to read; None reads all.

    Raises
    ------
    InputError
        On a broker that does not allow it.
    BrokerError
        The broker does not answer.
    """
    left = limit
    with _opened(app) as (channel, client):
        for step in channel.priority_steps:
            key, seen = channel._q_for_pri(queue, step), 0
            while left is None or left > 0:
                count = PAGE if left is None else min(PAGE, left)
                # Messages are pushed on the left and taken from the right.
                page = client.lrange(key, -seen - count, -seen - 1)
                yield from _tasks(reversed(page), queue)
                seen += len(page)
                left = None if left is None else left - len(page)
                if len(page) < count:
                    break


def newest(app: Celery, queue: str, *, limit: int) -> Iterator[Lying]:
    """The last task messages that came into a queue, at most `limit` of each priority.

    Raises
    ------
    InputError
        On a broker that does not allow it.
    BrokerError
        The broker does not answer.
    """
    with _opened(app) as (channel, client):
        for step in channel.priority_steps:
            yield from _tasks(client.lrange(channel._q_for_pri(queue, step), 0, limit - 1), queue)


def held(app: Celery) -> Iterator[Lying]:
    """Task messages that workers have and have not acknowledged.

    Raises
    ------
    InputError
        On a broker that does not allow it.
    BrokerError
        The broker does not answer.
    """
    names = {queue.routing_key: name for name, queue in app.amqp.queues.items()}
    with _opened(app) as (channel, client):
        for _tag, item in client.hscan_iter(channel.unacked_key, count=PAGE):
            payload, _exchange, key = loads(item.decode())
            found = _lying(payload, names.get(key, key), held=True)
            if found is not None:
                yield found


def find(app: Celery, ids: Iterable[str], *, limit: int = 10_000) -> dict[str, Lying]:
    """Messages of these tasks by their id; at most `limit` messages of each queue are looked through."""
    wanted = set(ids)
    found = {lying.id: lying for lying in held(app) if lying.id in wanted}
    for queue in app.amqp.queues:
        if len(found) == len(wanted):
            break
        found |= {lying.id: lying for lying in waiting(app, queue, limit=limit) if lying.id in wanted}
    return found


@contextmanager
def _opened(app: Celery) -> Iterator[tuple[Any, Any]]:
    """Channel and client of a broker that lets messages be read."""
    if not allowed(app):
        raise InputError(NOT_ALLOWED)
    transport = app.connection_for_read().get_transport_cls()
    broken_by = (*transport.connection_errors, *transport.channel_errors)
    with (
        broker_errors(app, broken_by),
        app.connection_for_read(connect_timeout=CONNECT_SECONDS) as connection,
    ):
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
        with connection.default_channel.conn_or_acquire() as client:
            yield connection.default_channel, client


def _tasks(items: Iterable[bytes], queue: str) -> Iterator[Lying]:
    """What lies in a queue; what is no task is passed over."""
    for item in items:
        try:
            payload = loads(item.decode())
        except ValueError:  # whoever can write to the broker can put anything into a list
            continue
        found = _lying(payload, queue, held=False) if isinstance(payload, dict) else None
        if found is not None:
            yield found


def _lying(payload: dict[str, Any], queue: str, *, held: bool) -> Lying | None:
    headers, properties = payload.get("headers") or {}, payload.get("properties") or {}
    if not isinstance(headers, dict) or not isinstance(properties, dict):
        return None
    if "task" not in headers or "id" not in headers:
        return None
    return Lying(
        id=str(headers["id"]),
        name=str(headers["task"]),
        queue=queue,
        held=held,
        priority=properties.get("priority"),
        eta=headers.get("eta"),
        payload=payload,
    )
