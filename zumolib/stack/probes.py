"""Whether a service does its work, not only whether its process runs."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
import requests

from zumolib import processes
from zumolib.conf import use_django
from zumolib.stack.plan import Plan


def valkey(plan: Plan) -> bool:
    """It answers PING, so its files are loaded."""
    client = redis.Redis(
        port=plan.ports["valkey"],
        password=plan.valkey_password,
        socket_timeout=1,
        socket_connect_timeout=1,
    )
    try:
        return bool(client.ping())
    except redis.exceptions.RedisError:
        return False
    finally:
        client.close()


def mail(plan: Plan) -> bool:
    """It greets as an SMTP server."""
    try:
        with socket.create_connection(("127.0.0.1", plan.ports["mail"]), timeout=1) as connection:
            return connection.recv(3) == b"220"
    except OSError:
        return False


def provider(plan: Plan) -> bool:
    """The payment provider's stand-in takes connections."""
    try:
        with socket.create_connection(("127.0.0.1", plan.ports["provider"]), timeout=1):
            return True
    except OSError:
        return False


def jupyter(plan: Plan) -> bool:
    """JupyterLab's API answers."""
    try:
        answer = requests.get(f"http://127.0.0.1:{plan.ports['jupyter']}/api", timeout=1)
        return answer.ok and "version" in answer.json()
    except (requests.RequestException, ValueError):
        return False


def worker(app: Any) -> bool:
    """The worker of this machine answers a ping through the broker."""
    from kombu.exceptions import OperationalError

    try:
        return bool(app.control.ping(destination=[f"celery@{socket.gethostname()}"], timeout=0.5))
    except (OperationalError, ConnectionError, redis.exceptions.RedisError):
        return False


def beat(home: Path) -> bool:
    """A living process holds beat's lock, and some beat the lease of the database: this one may wait for it."""
    from zumolib.schedule.leases import standing

    try:
        runs = processes.runs(int((home / "run" / "beat.lock").read_text()))
    except (OSError, ValueError):
        return False
    use_django()
    from django.db import DatabaseError

    try:
        lease = standing.of("beat") if runs else None
    except DatabaseError:
        return False
    return lease is not None and lease.state == standing.HELD


def wait(condition: Callable[[], bool], seconds: float, *, every: float = 0.1) -> float | None:
    """Wait until `condition` holds.

    Returns
    -------
    float or None
        Seconds it took; None when it did not hold in time.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(every)
    return time.monotonic() - began
