"""The base of every task of the app: retries, a cluster-wide rate limit, a log line and metrics.

Tasks do not import it. It reaches them through the app (``Celery(task_cls=…)``), so a task module stays
usable with any other app.
"""

from __future__ import annotations

import json
import smtplib
import time
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import kombu.exceptions
import redis.exceptions
import requests.exceptions
from celery.app.task import Task
from celery.exceptions import Retry
from celery.utils.log import get_task_logger
from celery.utils.time import rate as per_second
from django.db import InterfaceError, OperationalError
from prometheus_client import Counter, Histogram

from zumolib.platform import ratelimit

log = get_task_logger(__name__)

# What may well work a moment later. Anything else fails at once.
TRANSIENT: tuple[type[Exception], ...] = (
    ConnectionError,
    TimeoutError,
    OperationalError,
    InterfaceError,
    kombu.exceptions.OperationalError,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    smtplib.SMTPConnectError,
    smtplib.SMTPServerDisconnected,
)

UNKNOWN_PAUSE = 3.0  # seconds until a rate limit that could not be read is asked for again

RUNS = Counter("zumo_task_runs", "Runs of tasks by their outcome.", ["task", "queue", "state"])
RUN_TIME = Histogram(
    "zumo_task_run_seconds",
    "Run time of tasks, in seconds.",
    ["task"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1_800),
)


class BaseTask(Task):
    """Base class of the app's tasks.

    A transient error (see :data:`TRANSIENT`) is retried up to three times with exponential backoff (2, 4
    and 8 s) and full jitter; any other error fails at once.

    Attributes
    ----------
    cluster_rate_limit : str or None
        How often the task may run in the whole cluster, as in Celery's ``rate_limit``: ``"30/m"``. A run
        over the limit goes back to its queue with a countdown and costs no retry. So does a run while the
        limit cannot be read, as none may start without being counted.
    """

    abstract = True
    autoretry_for = TRANSIENT
    max_retries = 3
    retry_backoff = 2  # seconds, doubled with each retry
    retry_backoff_max = 600  # seconds
    retry_jitter = True
    cluster_rate_limit: str | None = None

    def _get_exec_options(self) -> dict[str, Any]:
        """What a message names besides what its caller asks for: everything but time limits.

        Celery 5.7 writes the sender's into each message, where they count for more than the worker's own,
        so that the ``time_limit`` command would have no effect on whoever knows the task.
        """
        return {**super()._get_exec_options(), "time_limit": None, "soft_time_limit": None}

    def before_start(self, task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note the start, and give the run back to its queue while the cluster is over the limit."""
        self.request.clock_started = time.monotonic()
        if self.cluster_rate_limit and not self.request.is_eager:
            limit = f"the cluster's rate limit of {self.cluster_rate_limit}"
            try:
                wait = ratelimit.take(self.name, per_second(self.cluster_rate_limit))
            except redis.exceptions.RedisError as error:
                log.warning("The cluster's rate limit of %s cannot be read: %s", self.name, error)
                self._put_back(UNKNOWN_PAUSE, f"{limit} cannot be read", args, kwargs)
            if wait > 0:
                self._put_back(wait, f"over {limit}", args, kwargs)

    def _put_back(self, wait: float, reason: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> NoReturn:
        when = datetime.now(UTC) + timedelta(seconds=wait)
        again = self.signature_from_request(
            self.request, args, kwargs, eta=when, retries=self.request.retries
        )
        again.apply_async()
        raise Retry(reason, when=when)

    def after_return(
        self,
        status: str,
        retval: Any,
        task_id: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        einfo: Any,
    ) -> None:
        """Count the run and log it in one line: a sentence, then its fields as JSON."""
        started = getattr(self.request, "clock_started", None)
        seconds = 0.0 if started is None else time.monotonic() - started
        queue = (self.request.delivery_info or {}).get("routing_key") or ""
        RUNS.labels(self.name, queue, status).inc()
        RUN_TIME.labels(self.name).observe(seconds)
        fields = {
            "task": self.name,
            "task_id": task_id,
            "queue": queue,
            "state": status,
            "seconds": round(seconds, 4),
            "retries": self.request.retries,
        }
        if isinstance(retval, BaseException):
            fields["error"] = f"{type(retval).__name__}: {retval}"
        log.info("Task %s ended as %s after %.3f s. %s", self.name, status, seconds, json.dumps(fields))
