"""Can results be kept, and do they go away again?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import redis

from zumolib.checks.check import Check, Finding
from zumolib.conf import hide
from zumolib.errors import BrokerError, CannotTell
from zumolib.inspection import results

if TYPE_CHECKING:
    from zumolib.checks.scene import Scene

FULL = 0.9  # of the memory limit
MB = 2**20


def _unreachable(scene: Scene) -> Iterator[Finding]:
    try:
        results.client(scene.app).ping()
    except redis.exceptions.RedisError as error:
        place = hide(scene.app.backend.url if hasattr(scene.app.backend, "url") else "")
        yield Finding(
            "results-unreachable",
            "",
            f"{place} does not answer: {str(error).splitlines()[0]}",
            "start the result backend, or correct CELERY_RESULT_BACKEND",
        )


def _limit(scene: Scene) -> Iterator[Finding]:
    told = memory(scene)
    limit, used = told["maxmemory"], told["used_memory"]
    if limit and used >= FULL * limit:
        refuses = told["maxmemory_policy"] == "noeviction"
        becomes = (
            "it refuses to store more" if refuses else f"it throws keys away ({told['maxmemory_policy']})"
        )
        yield Finding(
            "results-memory-limit",
            "",
            f"{used / limit:.0%} of its {limit / MB:,.0f} MB are used, and {becomes}",
            "delete the oldest results, keep them for a shorter time, or give it more memory",
        )


def _forever(scene: Scene) -> Iterator[Finding]:
    try:
        count = sum(1 for found in results.all_of(scene.app) if found.expires is None)
    except BrokerError as error:
        raise CannotTell(str(error)) from error
    if count:
        yield Finding(
            "results-never-expire",
            "",
            f"{count:,} results have no expiry",
            "give them one; look for `result_expires = None` in the settings of who stored them",
        )


def memory(scene: Scene) -> dict[str, Any]:
    """Redis's own account of its memory."""
    try:
        told: dict[str, Any] = results.client(scene.app).info("memory")
    except redis.exceptions.RedisError as error:
        raise CannotTell(str(error)) from error
    return told


UNREACHABLE = Check("results-unreachable", "the result backend does not answer", _unreachable)
LIMIT = Check("results-memory-limit", "its memory is full", _limit, after=("results-unreachable",))
FOREVER = Check("results-never-expire", "results never expire", _forever, after=("results-unreachable",))
# First what keeps the memory full for ever, then that it is full: they are cured in this order.
CHECKS = (UNREACHABLE, FOREVER, LIMIT)
