"""The platform's Celery app: ``celery -A zumolib worker``, ``beat``, ``inspect …``."""

from __future__ import annotations

import logging
import platform
import sys
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import psutil
from celery import Celery
from celery.app.task import Task
from celery.signals import (
    after_setup_logger,
    after_setup_task_logger,
    beat_init,
    celeryd_init,
    worker_process_init,
)
from celery.worker.control import control_command, inspect_command

from zumolib import conf as settings
from zumolib.conf import conf
from zumolib.deployment.ownership import TASK_CLASS
from zumolib.errors import ScheduleError
from zumolib.inspection.signatures import describe, first_line
from zumolib.masking.log import mask_handlers
from zumolib.platform import metric_files, queues

settings.use_django()

TASK_MODULES = ("tasks.catalog",)  # imports all of them

HARD_LIMIT = 3_600  # seconds
RESULT_TRIES = 12  # with random pauses of at most 20 ms, doubled up to 10 s: 40 s at most, 20 on average
CONNECT_SECONDS = 5
# For an answer of Redis or Valkey: longer than the second for which a worker waits for a message at a time.
REDIS_SECONDS = 20
VISIBILITY_TIMEOUT = 2 * HARD_LIMIT  # longer than any run, else Redis delivers a running task again


def configuration(conf: settings.Conf) -> dict[str, Any]:
    """Celery's settings for these settings of ours."""
    scale = conf.USE_SCALE_SETTINGS
    transport: dict[str, Any] = {"confirm_publish": True}
    if conf.broker_is_redis:
        transport = {
            "queue_order_strategy": "zumolib.platform.queues:PriorityOrder",
            "visibility_timeout": VISIBILITY_TIMEOUT,
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": REDIS_SECONDS,
        }
    return {
        "broker_url": conf.CELERY_BROKER_URL,
        "broker_connection_retry_on_startup": True,
        "broker_connection_timeout": CONNECT_SECONDS,
        "redis_socket_connect_timeout": CONNECT_SECONDS,
        "redis_socket_timeout": REDIS_SECONDS,
        "task_publish_retry_policy": {"max_retries": 2, "interval_start": 0, "interval_max": 0.5},
        "broker_pool_limit": 50 if scale else 10,
        "broker_transport": "zumolib.platform.transport:Transport" if conf.broker_is_redis else None,
        "broker_transport_options": transport,
        "result_backend": conf.CELERY_RESULT_BACKEND,
        "result_expires": 86_400,
        "result_extended": True,  # name, arguments and queue: what a retry is made from
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "task_compression": "gzip",
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_track_started": True,
        "task_time_limit": 1_800 if scale else HARD_LIMIT,
        "task_soft_time_limit": 1_650 if scale else 3_300,
        "task_send_sent_event": True,
        "task_queues": queues.QUEUES,
        "task_default_queue": "default",
        "task_default_exchange": "default",
        "task_default_routing_key": "default",
        # A misspelt queue is an error, not a new queue that nobody consumes.
        "task_create_missing_queues": False,
        "task_routes": queues.ROUTES,
        "task_annotations": queues.task_annotations(),
        "worker_concurrency": max(8, conf.CELERY_WORKER_CONCURRENCY)
        if scale
        else conf.CELERY_WORKER_CONCURRENCY,
        "worker_prefetch_multiplier": 1 if scale else 4,
        "worker_max_tasks_per_child": 1_000,
        "worker_send_task_events": True,
        "worker_hijack_root_logger": True,
        "timezone": "UTC",
        "enable_utc": True,
        "beat_scheduler": "zumolib.platform.scheduler:DatabaseScheduler",
        "beat_max_loop_interval": 5,
        # Write `last_run_at` after every dispatch: a beat that was killed does not send again.
        "beat_sync_every": 1,
    }


def create(conf: settings.Conf) -> Celery:
    """An app for these settings."""
    made = Celery("zumodra", task_cls=TASK_CLASS, events="zumolib.dispatch:Events", include=TASK_MODULES)
    made.conf.update(configuration(conf))
    made.steps["worker"].add("zumolib.platform.revokes:KeepRevokes")
    made.steps["worker"].add("zumolib.platform.timers:ForgetTimers")
    if conf.broker_is_redis:
        made.steps["consumer"].add("zumolib.platform.redelivery:GiveBack")
    return made


app = create(conf())


@app.task(bind=True, name="zumodra.celery.health_check")
def health_check(self: Task) -> dict[str, Any]:
    """Show that a worker runs tasks: status, time, Python, platform, task and worker."""
    return {
        "status": "healthy",
        "timestamp": datetime.now(UTC).isoformat(),
        "python_version": sys.version,
        "platform": platform.platform(),
        "task_id": self.request.id,
        "worker_hostname": self.request.hostname,
    }


@app.task(bind=True, name="zumodra.celery.debug_task")
def debug_task(self: Task) -> dict[str, Any]:
    """Answer with the task's id."""
    return {"status": "ok", "task_id": self.request.id}


@inspect_command()
def pool(state: Any) -> dict[str, Any]:
    """Size and processes of the worker's pool: ``celery -A zumolib inspect pool``."""
    return state.consumer.pool.info


@inspect_command()
def resident(state: Any) -> dict[str, Any]:
    """Resident bytes of the worker's own process and of its pool's, by process id."""
    processes = state.consumer.pool.info.get("processes")
    children = {}
    for pid in processes if isinstance(processes, list) else ():
        with suppress(psutil.NoSuchProcess):  # being replaced
            children[str(pid)] = psutil.Process(pid).memory_info().rss
    return {"own": psutil.Process().memory_info().rss, "children": children}


@inspect_command()
def rate_limited(state: Any) -> dict[str, Any]:
    """Tasks that wait for their rate limit: by task name, their ids and seconds until the first may run."""
    held = {}
    for name, bucket in state.consumer.task_buckets.items():
        if bucket and bucket.contents:
            held[name] = {
                "ids": [request.id for request, _tokens in bucket.contents],
                "seconds": bucket.expected_time(1),
                "every": 1 / bucket.fill_rate,
            }
    return held


@control_command()
def renew_strategies(state: Any) -> dict[str, str]:
    """Let new time limits hold for what is received from now on.

    Celery's ``time_limit`` command changes the task, but a worker has copied the limits into the strategy
    that it made of the task when it connected, and looks there.
    """
    state.consumer.update_strategies()
    return {"ok": "strategies renewed"}


@inspect_command()
def signatures(state: Any) -> dict[str, Any]:
    """Parameters and first line of description of each task, by name."""
    told, keys = {}, conf().ZUMO_MASKED_KEYS
    for name, task in state.app.tasks.items():
        parameters = describe(task.run, keys)
        told[name] = {
            "parameters": None if parameters is None else [asdict(p) for p in parameters],
            "doc": first_line(task.run),
        }
    return told


@worker_process_init.connect
def _wait_for_the_result_backend(**_: Any) -> None:
    """Let a process keep a result until its backend is back, which else fails a task that has done its work.

    Only where tasks run: whoever looks at results is told at once that the backend is gone.
    """
    app.backend.always_retry, app.backend.max_retries = True, RESULT_TRIES


@worker_process_init.connect
def _add_up_what_dead_processes_counted(**_: Any) -> None:
    """A process comes where another one ended, so this keeps the number of files bounded without a job for it."""
    folder = settings.metrics_folder()
    if folder is None or not folder.is_dir():
        return
    try:
        metric_files.add_up(folder)
    except OSError as error:  # a full disk: the next process tries again
        logging.getLogger(__name__).warning("Metrics of dead processes are not added up: %s", error)


@after_setup_logger.connect
@after_setup_task_logger.connect
def _log_no_secrets(logger: logging.Logger, **_: Any) -> None:
    """Hide in a worker's and beat's log what is hidden everywhere."""
    mask_handlers(conf().ZUMO_MASKED_KEYS, logger)


@celeryd_init.connect
def _not_on_a_foreign_broker(instance: Any = None, **_: Any) -> None:
    """Refuse to be a worker on another app's broker: it would take that app's tasks and discard them."""
    if instance is not None and instance.app is app:
        _require_own(database=False)


@beat_init.connect
def _not_for_a_foreign_schedule(sender: Any = None, **_: Any) -> None:
    """Refuse to be the beat of another project's schedule, or to send ours to another app's workers."""
    if sender is not None and sender.app is app:
        _require_own(database=True)


def _require_own(*, database: bool) -> None:
    from zumolib.deployment import ownership
    from zumolib.errors import ZumoError

    try:
        if database:
            ownership.require_database()
        ownership.require_broker(app)
    except ownership.Foreign as error:
        raise SystemExit(f"zumo: {error}") from None
    except ZumoError as error:
        # A broker that is down is waited for, as ever; what is on it is looked at when it is back.
        logging.getLogger(__name__).warning("Not known yet whether this broker is ours: %s", error)


@beat_init.connect
def _only_one_beat(**_: Any) -> None:
    """Refuse to be the second beat, however it was started."""
    from zumolib.platform import installation

    try:
        installation.hold_lock(conf().ZUMO_HOME / "run" / "beat.lock")
    except ScheduleError as error:
        raise SystemExit(f"beat: {error}") from None
