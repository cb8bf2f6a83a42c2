"""The services that the platform depends on: one probe each, answering in seconds or counted as down."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.core.mail import get_connection
from django.db import connection

from tasks.base.money import gateway
from tasks.models import Integration

TIMEOUT = 3.0  # seconds for each probe


class Off(Exception):
    """The integration is not configured."""


@dataclass(frozen=True)
class Finding:
    """What one probe found."""

    name: str
    state: str
    latency_ms: float | None
    detail: str = ""


def probe(name: str, attempt: Callable[[], None]) -> Finding:
    """Try one integration. Whatever it raises means that it does not work."""
    begun = time.perf_counter()
    try:
        attempt()
    except Off as off:
        return Finding(name, Integration.State.OFF, None, str(off))
    except Exception as error:  # noqa: BLE001 - any failure at all is the answer to the question
        return Finding(name, Integration.State.DOWN, None, f"{type(error).__name__}: {error}"[:300])
    return Finding(name, Integration.State.UP, round((time.perf_counter() - begun) * 1000, 2))


def check_payments() -> None:
    """Ask the payment provider for the balance, which needs a valid key and changes nothing."""
    if not gateway.configured():
        raise Off("STRIPE_API_KEY is empty")
    gateway.client(timeout=TIMEOUT, retries=0).v1.balance.retrieve()


def check_mail() -> None:
    """Greet the mail server, with its login where there is one."""
    with get_connection(timeout=TIMEOUT) as mailer:
        server: Any = getattr(mailer, "connection", None)
        if server is not None and server.noop()[0] != 250:
            raise smtplib.SMTPException("the server does not answer NOOP")


def check_cache() -> None:
    """Write and read back one value."""
    place = settings.CACHES["default"]
    if "redis" in place["BACKEND"].lower():
        address = place["LOCATION"]
        first = address if isinstance(address, str) else address[0]
        # Django's own connection has no time limit: a silent host would hold the task for minutes.
        with redis.Redis.from_url(first, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT) as server:
            server.ping()
    cache.set("integration-check", 1, 60)
    if cache.get("integration-check") != 1:
        raise ConnectionError("the cache forgot what was just written")


def check_database() -> None:
    """Ask the database for a constant."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


def check_broker() -> None:
    """Connect to the broker and open a channel."""
    with current_app.connection_for_write(connect_timeout=TIMEOUT) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0.1, timeout=TIMEOUT)
        broker.default_channel.close()


PROBES: dict[str, Callable[[], None]] = {
    "payment provider": check_payments,
    "mail": check_mail,
    "cache": check_cache,
    "database": check_database,
    "broker": check_broker,
}


def probe_all() -> list[Finding]:
    """Try every integration, one after the other: together they take at most a quarter of a minute."""
    return [probe(name, attempt) for name, attempt in PROBES.items()]
