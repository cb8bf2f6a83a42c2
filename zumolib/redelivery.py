"""Give back at once what a killed worker, a killed server or a lost connection left unfinished on Redis or Valkey.

RabbitMQ redelivers as soon as a worker's connection is gone. The Redis transport only does when its
visibility timeout, two hours here, has passed, since another worker may still be at it. After a lost
connection a worker gives back what it had taken itself and not begun. A worker that is known to be the only
one need not wait for what others left: ``ZUMO_SOLE_WORKER`` says so, and the embedded stack sets it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from celery import bootsteps
from celery.utils.log import get_logger
from celery.worker import state

from zumolib import transport
from zumolib.conf import conf

log = get_logger(__name__)


def give_back(channel: Any, *, busy: Collection[str] = (), among: Collection[str] | None = None) -> int:
    """Put messages that nobody works on to the front of their queues.

    A message that a living worker holds would run twice: without `among` call it only while there is none.

    Parameters
    ----------
    channel : zumolib.transport.Channel
        On the broker.
    busy : collection of str
        Delivery tags of messages that are being worked on.
    among : collection of str
        Delivery tags of the only messages that may be given back; None for all.

    Returns
    -------
    int
        How many messages were given back.
    """
    with channel.conn_or_acquire() as client:
        unacked = [tag.decode() for tag in client.zrange(channel.unacked_index_key, 0, -1)]
    abandoned = [tag for tag in unacked if tag not in busy and (among is None or tag in among)]
    # Consumers take from the right end, where this puts them; so the oldest is put back last.
    for tag in reversed(abandoned):
        channel.qos.restore_by_tag(tag)
    lost = _lost(channel, besides=unacked) if among is None else []
    for queue, message in lost:
        channel.put_back(queue, message)
    return len(abandoned) + len(lost)


def _lost(channel: transport.Channel, *, besides: Collection[str]) -> list[tuple[str, dict[str, Any]]]:
    """Messages that were taken from their list and never noted as taken."""
    noted = {tag: found for tag, found in channel.on_their_way().items() if tag not in besides}
    waiting = set().union(*(channel.waiting(queue) for queue in {queue for queue, _ in noted.values()}))
    return [found for tag, found in noted.items() if tag not in waiting]


class GiveBack(bootsteps.StartStopStep):
    """Step of the worker, after each connection to the broker and before the first message comes."""

    requires = ("celery.worker.consumer.connection:Connection",)

    def start(self, consumer: Any) -> None:
        """Give back what this worker does not work on just now: of its own, or of all if it is the only one."""
        with consumer.app.connection_for_write() as connection:
            channel = connection.default_channel
            if isinstance(channel, transport.Channel):
                busy = {request.message.delivery_tag for request in state.active_requests}
                among = None if conf().ZUMO_SOLE_WORKER else set(transport.taken)
                count = give_back(channel, busy=busy, among=among)
                log.info("Gave back %d messages that nobody worked on.", count)
