"""Questions to workers, many in one round trip, each with an end in time.

Celery's ``inspect`` asks one question a time and waits its whole timeout for whoever may still answer.
Here all questions go out at once, in Celery's own remote control format, and the round ends with the
last answer of the nodes that are known. Unlike Celery's broadcast, publishing gives up when the broker
is gone instead of trying for ever.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kombu.entity import Queue
from kombu.messaging import Consumer, Producer

from zumolib.inspection.connection import CONNECT_SECONDS, broker_errors

if TYPE_CHECKING:
    from celery import Celery

TIMEOUT = 1.0  # seconds for answers; workers on Valkey need more than 0.25
ONCE = {"max_retries": 1, "interval_start": 0, "interval_max": 0}


def ask(
    app: Celery,
    questions: Mapping[str, Mapping[str, Any]],
    *,
    nodes: Sequence[str] | None = None,
    timeout: float = TIMEOUT,
    to_all: bool = False,
    patient: bool = False,
) -> dict[str, dict[str, Any]]:
    """Answers by question, then by node.

    Parameters
    ----------
    app
        Any Celery app.
    questions
        Remote control commands with their arguments, sent in one go.
    nodes
        Who is asked and waited for; None asks everybody and waits the whole `timeout` (seconds).
    to_all
        Ask everybody, but wait only for `nodes`.
    patient
        Wait the whole `timeout` all the same, for those who are not known.

    Raises
    ------
    BrokerError
        The broker does not answer.
    """
    if nodes is not None and not nodes and not to_all:
        return {question: {} for question in questions}
    transport = app.connection_for_write().get_transport_cls()
    broken_by = (*transport.connection_errors, *transport.channel_errors)
    with (
        broker_errors(app, broken_by),
        app.connection_for_write(connect_timeout=CONNECT_SECONDS) as connection,
    ):
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
        wait_for = None if patient else nodes
        told = None if to_all else nodes
        return _ask(app, connection, questions, told, wait_for, timeout)


def _ask(
    app: Celery,
    connection: Any,
    questions: Mapping[str, Mapping[str, Any]],
    told: Sequence[str] | None,
    wait_for: Sequence[str] | None,
    timeout: float,
) -> dict[str, dict[str, Any]]:
    mailbox = app.control.mailbox
    channel = connection.default_channel
    # A reply queue of this round's own: answers that come too late reach nobody.
    address = uuid4().hex
    replies = Queue(
        f"{address}.{mailbox.reply_exchange.name}",
        exchange=mailbox.reply_exchange,
        routing_key=address,
        durable=False,
        exclusive=True,
        auto_delete=True,
        expires=60.0,
    )
    tickets = {uuid4().hex: question for question in questions}
    answers: dict[str, dict[str, Any]] = {question: {} for question in questions}
    missing = {(question, node) for question in questions for node in wait_for or ()}

    def take(body: Any, message: Any) -> None:
        question = tickets.get(message.headers.get("ticket"))
        if question is not None:
            for node, said in body.items():
                answers[question][node] = said
                missing.discard((question, node))

    consumer = Consumer(channel, [replies], accept=mailbox.accept or ["json"], no_ack=True, callbacks=[take])
    producer = Producer(channel, auto_declare=False)
    with consumer:
        until = time.time() + timeout
        for ticket, question in tickets.items():
            producer.publish(
                {
                    "method": question,
                    "arguments": dict(questions[question]),
                    "destination": None if told is None else list(told),
                    "pattern": None,
                    "matcher": None,
                    "ticket": ticket,
                    "reply_to": {"exchange": mailbox.reply_exchange.name, "routing_key": address},
                },
                exchange=mailbox.exchange.name,
                declare=[mailbox.exchange],
                headers={"clock": app.clock.forward(), "expires": until},
                serializer=mailbox.serializer,
                retry=True,
                retry_policy=ONCE,
            )
        end = time.monotonic() + timeout
        while (wait_for is None or missing) and (left := end - time.monotonic()) > 0:
            try:
                connection.drain_events(timeout=left)
            except TimeoutError:
                break
    # Virtual transports have no server that would delete the queue.
    channel.after_reply_message_received(replies.name)
    return answers
