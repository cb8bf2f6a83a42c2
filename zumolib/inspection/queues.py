"""What queues look like right now, asked of the broker.

Depths come from the broker in one round trip (Redis, Valkey) or one per queue (RabbitMQ). What a
broker does not tell is missing, never 0.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import pandas as pd
import requests
from celery import Celery

from zumolib.inspection.connection import CONNECT_SECONDS, broker_errors

DEPTHS = {"queue": "str", "ready": "Int64", "unacked": "Int64", "consumers": "Int64"}

_SAMPLED = ("ready", "unacked", "consumers", "rate_in", "rate_out")

MANAGEMENT_SECONDS = 2.0


class Depths:
    """A connection to an app's broker that is asked for queue depths again and again.

    For one thread only; :meth:`close` it at the end. After a :class:`BrokerError` the next call
    connects anew.
    """

    def __init__(self, app: Celery, *, management_url: str = "") -> None:
        self.app = app
        self.management_url = management_url
        self._connection: Any = None

    def close(self) -> None:
        """Drop the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    def sample(self) -> list[dict[str, Any]]:
        """One row a queue; None where the broker tells nothing.

        `queue`, `ready`, `unacked`, `consumers`, `rate_in` and `rate_out` (messages a second that are
        published to the queue and delivered from it: only RabbitMQ's management API counts them, and
        only where its rates are on).

        Raises
        ------
        BrokerError
            The broker does not answer.
        """
        names = list(self.app.amqp.queues)
        with broker_errors(self.app, self._broken_by()):
            if self._connection is None:
                connection = self.app.connection_for_read(connect_timeout=CONNECT_SECONDS)
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
                self._connection = connection
            try:
                driver = self._connection.transport.driver_type
                if driver == "redis":
                    return _redis_depths(self._connection.default_channel, names)
                if driver == "amqp":
                    return self._amqp_depths(names)
                return _declared(self._connection, names)
            except BaseException:
                self.close()
                raise

    def _broken_by(self) -> tuple[type[BaseException], ...]:
        transport = self.app.connection_for_read().get_transport_cls()
        return (*transport.connection_errors, *transport.channel_errors)

    def _amqp_depths(self, names: list[str]) -> list[dict[str, Any]]:
        rows = _declared(self._connection, names)
        if self.management_url:
            told = management(self.management_url, self._connection.virtual_host)
            for row in rows:
                queue = told.get(row["queue"], {})
                row["unacked"] = queue.get("messages_unacknowledged")
                row["rate_in"] = _rate(queue, "publish")
                row["rate_out"] = _rate(queue, "deliver_get")
        return rows


def depths(app: Celery, *, management_url: str = "") -> pd.DataFrame:
    """Depth of every queue of the app, now.

    Parameters
    ----------
    app
        Any Celery app.
    management_url
        RabbitMQ's management API with user and password; without it `unacked` is unknown there.

    Returns
    -------
    pandas.DataFrame
        `queue` (str), `ready`, `unacked`, `consumers` (Int64, missing where unknown), in the app's
        order. ``attrs``: `source` is ``"broker"``, `at` the time of asking (UTC); with Redis and
        Valkey, `unacked_total` counts the delivered messages of all queues together, which is all
        that they know; with a management URL `unacked_age` (float, seconds) bounds how old its
        figures are.

    Raises
    ------
    BrokerError
        The broker does not answer.
    """
    at = datetime.now(UTC)
    with closing(Depths(app, management_url=management_url)) as probe:
        rows = probe.sample()
        frame = pd.DataFrame(rows, columns=list(DEPTHS)).astype(DEPTHS)
        frame.attrs |= {"source": "broker", "at": at}
        if rows and "unacked_total" in rows[0]:
            frame.attrs["unacked_total"] = rows[0]["unacked_total"]
        if management_url and frame["unacked"].notna().any():
            frame.attrs["unacked_age"] = MANAGEMENT_AGE
    return frame


# The management database samples queues every 5 s and caches its answer; measured up to 9 s.
MANAGEMENT_AGE = 10.0


def management(url: str, virtual_host: str) -> dict[str, dict[str, Any]]:
    """Queues of a virtual host by name, from RabbitMQ's management API; empty when it does not answer.

    It is asked for what the broker itself does not tell, so its absence makes figures unknown, and
    breaks nothing.
    """
    split = urlsplit(url)
    base = urlunsplit((split.scheme, split.netloc.rpartition("@")[2], split.path.rstrip("/"), "", ""))
    auth = (split.username or "guest", split.password or "guest")
    place = f"{base}/api/queues/{quote(virtual_host or '/', safe='')}"
    try:
        answer = requests.get(place, auth=auth, timeout=MANAGEMENT_SECONDS)
        answer.raise_for_status()
        return {queue["name"]: queue for queue in answer.json()}
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return {}


def _rate(queue: dict[str, Any], what: str) -> float | None:
    """Messages a second; None where the broker does not count, or nothing of this kind ever came."""
    rate = ((queue.get("message_stats") or {}).get(f"{what}_details") or {}).get("rate")
    return float(rate) if isinstance(rate, int | float) else None


def _redis_depths(channel: Any, names: list[str]) -> list[dict[str, Any]]:
    """One pipeline: a queue is a list per priority step, and all unacked messages are one hash."""
    steps = channel.priority_steps
    with channel.conn_or_acquire() as client, client.pipeline(transaction=False) as pipe:
        for name in names:
            for step in steps:
                pipe.llen(channel._q_for_pri(name, step))
        pipe.hlen(channel.unacked_key)
        *lengths, unacked = pipe.execute()
    return [
        {
            "queue": name,
            "ready": sum(lengths[n * len(steps) : (n + 1) * len(steps)]),
            "unacked": None,
            "consumers": None,
            "rate_in": None,
            "rate_out": None,
            "unacked_total": unacked,
        }
        for n, name in enumerate(names)
    ]


def _declared(connection: Any, names: list[str]) -> list[dict[str, Any]]:
    """Passive declares; a queue that is not there yet has unknown depth."""
    rows = []
    for name in names:
        row: dict[str, Any] = {"queue": name, **dict.fromkeys(_SAMPLED)}
        # The broker closes the channel of a failed declare.
        channel = connection.channel()
        try:
            told = channel.queue_declare(queue=name, passive=True)
            row |= {"ready": told.message_count, "consumers": told.consumer_count}
        except connection.channel_errors as error:
            if getattr(error, "reply_code", getattr(error, "code", None)) != 404:
                raise
        finally:
            channel.close()
        rows.append(row)
    return rows
