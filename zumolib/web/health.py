"""``/health/``: do the database, the cache and the broker answer?

The page is public, so a detail names the kind of error and the setting to look at, never an address,
a user or a password; the reason itself goes to the log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import redis
from django.db import connections
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.connection import Connection

from zumolib.conf import conf, hide

log = logging.getLogger(__name__)

TIMEOUT = 2  # seconds for each check; libpq's connect_timeout knows whole seconds and no 1

Probe = Callable[[], str]


@dataclass(frozen=True)
class Check:
    """What one probe found."""

    ok: bool
    seconds: float
    detail: str


def database() -> str:
    """Read the schedule over a connection of its own, so that no pooled one hides a dead server."""
    connection = connections["default"].copy()
    options = dict(connection.settings_dict.get("OPTIONS") or {})
    if connection.vendor == "postgresql":
        options |= {"connect_timeout": TIMEOUT, "options": f"-c statement_timeout={TIMEOUT * 1000}"}
    elif connection.vendor == "sqlite":
        options |= {"timeout": TIMEOUT}
    connection.settings_dict["OPTIONS"] = options
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM django_celery_beat_periodictask WHERE enabled")
            (enabled,) = cursor.fetchone()
    finally:
        connection.close()
    return f"{enabled:,} entries enabled"


def cache() -> str:
    """Ping the cache's server."""
    client = redis.Redis.from_url(
        conf().REDIS_URL, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=None
    )
    with client:
        client.ping()
    return "answers"


def broker() -> str:
    """Log in to the broker and open a channel, which on Redis pings."""
    redis_timeouts = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
    url, options = conf().CELERY_BROKER_URL, redis_timeouts if conf().broker_is_redis else {}
    with Connection(url, connect_timeout=TIMEOUT, transport_options=options) as connection:
        connection.ensure_connection(max_retries=0)
        connection.channel().close()
    return "answers"


PROBES: Mapping[str, tuple[Probe, str]] = {
    "database": (database, "look at DATABASE_URL and the database's log, then run `zumo migrate`"),
    "cache": (cache, "look at REDIS_URL and the cache's log"),
    "broker": (broker, "look at CELERY_BROKER_URL and the broker's log"),
}


def run(name: str, probe: Probe, remedy: str) -> Check:
    """Run one probe; whatever it raises becomes a failed check."""
    start = time.perf_counter()
    try:
        ok, detail = True, probe()
    except Exception as error:  # noqa: BLE001 - this page must answer whatever a driver raises
        log.warning("The %s does not answer: %s", name, hide(str(error)))
        ok, detail = False, f"{type(error).__name__}: {remedy}"
    return Check(ok, round(time.perf_counter() - start, 4), detail)


@require_safe
@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """Answer 200 when every check is well, else 503: ``{status, checks: {name: {ok, seconds, detail}}}``."""
    with ThreadPoolExecutor(len(PROBES)) as pool:
        pending = {name: pool.submit(run, name, *probe) for name, probe in PROBES.items()}
        checks = {name: future.result() for name, future in pending.items()}
    well = all(check.ok for check in checks.values())
    body = {"status": "ok" if well else "failing", "checks": {name: asdict(c) for name, c in checks.items()}}
    return JsonResponse(body, status=200 if well else 503)
