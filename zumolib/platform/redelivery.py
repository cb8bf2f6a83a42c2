"""Give back at once what a killed worker, a killed server or a lost connection left unfinished on Redis or Valkey.

RabbitMQ redelivers as soon as a worker's connection is gone. The Redis transport only does when its
visibility timeout, two hours here, has passed, since another worker may still be at it. After a lost
connection a worker gives back what it had taken itself and not begun. A worker that is the only one need
not wait for what others left: ``ZUMO_SOLE_WORKER`` says that it may be, and the embedded stack sets it; what
shows that it is, see :mod:`zumolib.platform.solitude`.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from celery import bootsteps
from celery.utils.log import get_logger
from celery.worker import state

from zumolib.conf import conf
from zumolib.platform import solitude, transport

log = get_logger(__name__)


def give_back(
    channel: transport.Channel,
    *,
    busy: Collection[str] = (),
    among: Collection[str] | None = None,
    owner: str = "",
) -> int:
    """Put messages that nobody works on to the front of their queues.

    A message that a living worker holds would run twice: without `among` call it only while there is none.

    Parameters
    ----------
    channel
        On the broker.
    busy
        Delivery tags of messages that are being worked on.
    among
        Delivery tags of the only messages that may be given back; None for all.
    owner
        With `among`: the worker whose messages that never arrived are given back as well. Those that were
        taken longer ago than the visibility timeout are in any case.

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
    old = time.time() - channel.visibility_timeout
    lost = {
        tag: note
        for tag, note in channel.notes().items()
        if among is None or note.owner == owner or note.at < old
    }
    for tag, note in lost.items():
        channel.put_back(tag, note)
    return len(abandoned) + len(lost)


class GiveBack(bootsteps.StartStopStep):
    """Step of the worker, after each connection to the broker and before the first message comes."""

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        transport.name_worker()  # before it connects

    def start(self, consumer: Any) -> None:
        """Give back what this worker does not work on just now: of its own, or of all if it is the only one."""
        with consumer.app.connection_for_write() as connection:
            channel = connection.default_channel
            if not isinstance(channel, transport.Channel):
                return
            with channel.conn_or_acquire() as client:
                client.execute_command("UNLINK", transport.EARLIER_NOTES)
            busy = {request.message.delivery_tag for request in state.active_requests}
            among: set[str] | None = set(transport.taken)
            if conf().ZUMO_SOLE_WORKER:
                others = solitude.others(channel, consumer.app)
                if others:
                    log.warning(
                        "ZUMO_SOLE_WORKER is set and this is not the only worker (%s); what others took is "
                        "theirs until the visibility timeout.",
                        ", ".join(others),
                    )
                else:
                    among = None
            count = give_back(channel, busy=busy, among=among, owner=transport.worker)
            log.info("Gave back %d messages that nobody worked on.", count)
