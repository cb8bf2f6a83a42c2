"""Results that fill a memory, or stay for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.runbooks.servers import run_a_task


def fill(d: Any) -> None:
    """Results until the memory limit is reached, some of them about to expire."""
    server = d.results
    put(d, 400, size=50_000, expires=lambda n: 100 + n)
    used = server.info("memory")["used_memory"]
    server.config_set("maxmemory-policy", "noeviction")
    server.config_set("maxmemory", int(used * 1.01))


def put(d: Any, count: int, *, size: int, expires: Callable[[int], int | None]) -> None:
    body = '{"status": "SUCCESS", "result": "%s"}' % ("x" * size)
    with d.results.pipeline(transaction=False) as pipe:
        for n in range(count):
            pipe.set(f"celery-task-meta-planted-{n:04d}", body, ex=expires(n))
        pipe.execute()


def has_room(d: Any) -> bool:
    """The newest results are still there, and one more is taken."""
    told = d.results.info("memory")
    kept = d.results.exists("celery-task-meta-planted-0399")
    return bool(kept and told["used_memory"] < 0.8 * told["maxmemory"] and run_a_task(d))


def lift_limit(d: Any) -> None:
    d.results.config_set("maxmemory", 0)
    d.results.delete(*d.results.keys("celery-task-meta-planted-*"))


def forever(d: Any) -> None:
    put(d, 30, size=100, expires=lambda n: None)


def all_expire(d: Any) -> bool:
    server = d.results
    return all(0 < server.ttl(key) <= 86_400 for key in server.keys("celery-task-meta-planted-*"))
