"""Stored results: what the result backend holds, on Redis and Valkey, where results can fill a memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import redis

from zumolib.errors import BrokerError, InputError

if TYPE_CHECKING:
    from celery import Celery

PAGE = 1_000  # keys in one round trip
UNFINISHED = (b"STARTED", b"RETRY", b"PENDING", b"RECEIVED")
HEAD = 60  # bytes of a result that hold its state


@dataclass(frozen=True)
class Stored:
    """One stored result."""

    key: bytes
    size: int  # bytes of memory
    expires: float | None  # seconds until it goes by itself; None: never
    finished: bool


def client(app: Celery) -> Any:
    """Redis's client of the app's result backend.

    Raises
    ------
    InputError
        When results are kept elsewhere.
    """
    found = getattr(app.backend, "client", None)
    if not isinstance(found, redis.Redis):
        raise InputError(
            f"results are kept in {type(app.backend).__name__}; this works on Redis and Valkey only"
        )
    return found


def all_of(app: Celery) -> Iterator[Stored]:
    """Every stored result, in no order.

    Raises
    ------
    BrokerError
        The result backend does not answer.
    """
    server = client(app)
    prefix = bytes(app.backend.task_keyprefix)
    try:
        keys = server.scan_iter(match=prefix + b"*", count=PAGE)
        while page := list(islice(keys, PAGE)):
            with server.pipeline(transaction=False) as pipe:
                for key in page:
                    pipe.memory_usage(key)
                    pipe.pttl(key)
                    pipe.getrange(key, 0, HEAD)
                told = pipe.execute()
            for key, size, left, head in zip(page, told[::3], told[1::3], told[2::3], strict=True):
                if size is not None and left != -2:  # gone meanwhile
                    finished = not any(state in head for state in UNFINISHED)
                    yield Stored(key, int(size), None if left == -1 else left / 1_000, finished)
    except redis.exceptions.RedisError as error:
        raise BrokerError(f"the result backend does not answer ({error}); start it") from error
