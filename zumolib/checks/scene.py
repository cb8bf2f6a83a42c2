"""What the checks look at: one deployment at one moment, asked once for each thing and only if needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from celery.utils.time import rate as per_second

from zumolib.errors import BrokerError, CannotTell
from zumolib.inspection import fleet, remote
from zumolib.inspection.connection import CONNECT_SECONDS, broker_errors
from zumolib.inspection.fleet import Fleet
from zumolib.inspection.queues import depths
from zumolib.receipts import pauses

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.history import History

ASKED: dict[str, dict[str, Any]] = {
    **{question: {} for question in fleet.QUESTIONS},
    "registered": {"taskinfoitems": ["rate_limit"]},
    "rate_limited": {},
    "resident": {},
    "revoked": {},
}
ANSWER_SECONDS = 1.0  # for a broadcast: nobody knows yet who is there
TRIES = 3  # a worker that just reconnects, or is short of time, misses one broadcast


def _utcnow() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Answer:
    """How the broker took a connection."""

    state: str  # ok, unreachable, login or vhost
    said: str = ""


@dataclass
class Scene:
    """One deployment, looked at lazily; make a new one to look again."""

    app: Celery
    services: Mapping[str, str] | None = None  # state of the embedded services; None where there are none
    task: str = ""  # only what concerns this task
    entry: str = ""  # only what concerns this entry
    history: History | None = None  # None: the one that the settings name
    watch: float = 0.0  # seconds for which memory is watched
    now: datetime = field(default_factory=_utcnow)
    sleep: Callable[[float], None] = time.sleep

    @cached_property
    def broker(self) -> Answer:
        """Connect once and say how that went."""
        transport = self.app.connection_for_write().get_transport_cls()
        broken_by = (*transport.connection_errors, *transport.channel_errors)
        try:
            with (
                broker_errors(self.app, broken_by),
                self.app.connection_for_write(connect_timeout=CONNECT_SECONDS) as connection,
            ):
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
                if transport.driver_type == "redis":  # connects when it is first asked something
                    with connection.default_channel.conn_or_acquire() as client:
                        client.ping()
        except BrokerError as error:
            return Answer(_kind(error), said(error))
        return Answer("ok")

    @cached_property
    def fleet(self) -> Fleet:
        """All workers that reply.

        Raises
        ------
        CannotTell
            The broker stopped answering meanwhile.
        """
        try:
            for _ in range(TRIES):
                at = datetime.now(UTC)
                answers = remote.ask(self.app, ASKED, timeout=ANSWER_SECONDS)
                if answers["stats"]:
                    break
        except BrokerError as error:
            raise CannotTell(str(error)) from error
        return Fleet(at, tuple(sorted(answers["stats"])), answers, self.app)

    @property
    def replied(self) -> int | None:
        """How many workers replied; None where they have not been asked, or nobody did."""
        asked: Fleet | None = self.__dict__.get("fleet")
        return len(asked.replied) or None if asked is not None else None

    @cached_property
    def ready(self) -> dict[str, int | None]:
        """Messages ready by queue; None where the broker does not tell."""
        try:
            frame = depths(self.app)
        except BrokerError as error:
            raise CannotTell(str(error)) from error
        told = zip(frame["queue"], frame["ready"].astype(object), strict=True)
        return {str(name): int(n) if isinstance(n, int) else None for name, n in told}

    @cached_property
    def limits(self) -> dict[str, dict[str, str | None]]:
        """By worker, each task that it registered with its rate limit (None for no limit)."""
        found = {}
        for node, lines in self.fleet.answers["registered"].items():
            pairs = (str(line).partition(" [") for line in (lines if isinstance(lines, list) else ()))
            found[node] = {name: _limit(told) for name, _, told in pairs}
        return found

    @cached_property
    def paused(self) -> dict[str, list[str]]:
        """Workers by the queue that a receipt says they stopped consuming from."""
        return pauses.paused()

    @property
    def queues(self) -> tuple[str, ...]:
        """Queues to look at: the app's, or the one where the task lands."""
        if self.task:
            return (str(self.app.amqp.router.route({}, self.task)["queue"].name),)
        return tuple(self.app.amqp.queues)

    def concerns(self, task: str) -> bool:
        """Whether a task is to be looked at."""
        return not self.task or task == self.task

    def service(self, name: str) -> str | None:
        """State of an embedded service; None where there are none."""
        return None if self.services is None else self.services.get(name, "ABSENT")


def said(error: BaseException) -> str:
    """The first line of the innermost error, which says what the broker said."""
    causes = list(_causes(error))
    text = str(causes[-1]).strip() or type(causes[-1]).__name__
    return text.splitlines()[0]


def _causes(error: BaseException | None) -> Any:
    while error is not None:
        yield error
        error = error.__cause__


def _kind(error: BrokerError) -> str:
    texts = " ".join(f"{type(e).__name__} {e}" for e in _causes(error)).lower()
    if any(
        mark in texts for mark in ("access_refused", "accessrefused", "authentication", "wrongpass", "noauth")
    ):
        return "login"
    if "not_allowed" in texts or "notallowed" in texts:
        return "vhost"
    return "unreachable"


def _limit(told: str) -> str | None:
    for pair in told.rstrip("]").split(" "):
        name, _, value = pair.partition("=")
        if name == "rate_limit" and per_second(value):
            return value
    return None
