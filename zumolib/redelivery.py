"""Give back what a killed worker had taken from Redis or Valkey.

RabbitMQ redelivers as soon as a worker's connection is gone. The Redis transport only does when its
visibility timeout, two hours here, has passed; a worker that is known to be the only one need not wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery import Celery


def give_back(app: Celery) -> int:
    """Put every unacknowledged message back to the front of its queue.

    Call it only while no worker runs: a message that a living worker holds would run twice.

    Returns
    -------
    int
        How many messages were given back; 0 on a broker that redelivers by itself.
    """
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=30, interval_start=0.2, interval_step=0.2, interval_max=1)
        if connection.transport.driver_type != "redis":
            return 0
        channel = connection.default_channel
        with channel.conn_or_acquire() as client:
            tags = [tag.decode() for tag in client.zrange(channel.unacked_index_key, 0, -1)]
        # Consumers take from the right end, where this puts them; so the oldest is put back last.
        for tag in reversed(tags):
            channel.qos.restore_by_tag(tag)
        return len(tags)
