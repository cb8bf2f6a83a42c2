"""Send tasks, and see whether they arrived."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kombu.exceptions import OperationalError

from zumolib.conf import hide
from zumolib.control.effect import appears
from zumolib.errors import BrokerError
from zumolib.inspection import messages as peek
from zumolib.receipts.observation import Observation

if TYPE_CHECKING:
    from celery import Celery
    from celery.result import AsyncResult

ONE_TRY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
SEEN_SECONDS = 0.3


def send(
    app: Celery, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], **options: Any
) -> AsyncResult:
    """Send one task, with one more try where the broker does not take it at once.

    Raises
    ------
    BrokerError
        When it was not sent.
    """
    task = app.tasks.get(name)
    try:
        with backend_errors(app):
            if task is not None:
                return task.apply_async(args, kwargs, retry_policy=ONE_TRY, **options)
            return app.send_task(name, args, kwargs, retry_policy=ONE_TRY, **options)
    except Exception as error:
        transport = app.connection_for_write().get_transport_cls()
        broken_by = (*transport.connection_errors, *transport.channel_errors, OperationalError, OSError)
        if not isinstance(error, broken_by):
            raise
        place = hide(app.conf.broker_write_url or app.conf.broker_url)
        raise BrokerError(
            f"{name} was not sent: {place} does not answer ({error}); start the broker, then call again"
        ) from error


@contextmanager
def backend_errors(app: Celery) -> Iterator[None]:
    """Turn the result backend's errors into one that names it and the remedy."""
    errors = tuple(getattr(app.backend, "connection_errors", None) or ())
    try:
        yield
    except (*errors, RuntimeError) as error:
        # Who waits for a result hears of a lost backend by a RuntimeError when Celery has given it up.
        lost = error if isinstance(error, errors) else error.__cause__
        if not isinstance(lost, errors):
            raise
        place = hide(app.conf.result_backend or "")
        raise BrokerError(
            f"{place} does not answer ({lost}); start the result backend or correct its URL"
        ) from error


def confirmed(app: Celery) -> bool | None:
    """Whether a send that returned means that the broker has the message; None where it does not say.

    Redis and Valkey answer each push; RabbitMQ does with publisher confirms.
    """
    options = app.conf.broker_transport_options or {}
    return True if peek.allowed(app) or options.get("confirm_publish") else None


def observed(arrived: bool | None, count: int) -> Observation:
    """What is known of messages that were sent."""
    messages = "the message" if count == 1 else f"all {count:,} messages"
    if arrived is None:
        return Observation.of(None, f"this broker does not say whether it has {messages}")
    what = "or workers have" if count > 1 else "has"
    return Observation.of(
        arrived, f"the broker {what} {messages}", lasting="until a worker takes what was sent"
    )


def taken(app: Celery, ids: Collection[str], queues: Collection[str]) -> bool | None:
    """Whether tasks that were sent have arrived, as far as that can be seen."""
    if not peek.allowed(app):
        with backend_errors(app):
            known = all(app.AsyncResult(task_id).state != "PENDING" for task_id in ids)
        return True if known else confirmed(app)

    def look() -> bool:
        with backend_errors(app):
            left = {task_id for task_id in ids if app.AsyncResult(task_id).state == "PENDING"}
        if left:
            left -= {lying.id for lying in peek.held(app)}
        for queue in queues if left else ():
            left -= {lying.id for lying in peek.newest(app, queue, limit=len(ids) + peek.PAGE)}
        return not left

    # Between a queue and a worker's hands a message is for a moment in neither.
    return appears(look, SEEN_SECONDS) or None


def landing(app: Celery, name: str, queue: str | None) -> str:
    """The queue in which a call lands."""
    return str(app.amqp.router.route({"queue": queue} if queue else {}, name)["queue"].name)
