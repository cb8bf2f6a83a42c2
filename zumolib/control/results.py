"""Stored results as a whole: an expiry for those without one, the oldest deleted.

For result backends on Redis and Valkey, which is where results can fill a memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import redis

from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.errors import BrokerError, InputError
from zumolib.inspection.results import PAGE, Stored, all_of, client
from zumolib.receipts.observation import Observation

if TYPE_CHECKING:
    from celery import Celery

MB = 2**20
DAY = 86_400  # seconds: the expiry where the app has none, as Celery's own default
ROOM = 0.75  # of the memory limit: how full it may be after the oldest were deleted
COLUMNS = {"id": "str", "bytes": "int64", "expires_in": "float64"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Expire(Plan):
    """An expiry for results that have none."""

    action = "expire results"
    no_way_back = (
        "an expiry is not taken off again, since nobody knows which results are still wanted; fetch those now"
    )

    keys: tuple[bytes, ...]
    seconds: int

    def carry_out(self, run: Run) -> None:
        """Set it, where there is still none."""
        for page, done in _paged(
            self.app, self.keys, lambda pipe, key: pipe.expire(key, self.seconds, nx=True), run
        ):
            for key, set_ in zip(page, done, strict=True):
                run.step(_id(self.app, key), "expires" if set_ else "gone meanwhile, or has one")

    def verify(self, run: Run) -> Observation:
        """None of them is without one."""
        keys = set(self.keys)
        left = sum(found.expires is None for found in all_of(self.app) if found.key in keys)
        what = f"{left:,} of {len(keys):,} results are without an expiry"
        return Observation.of(
            not left, what, lasting="a task that writes its result again sets its own expiry"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Delete(Plan):
    """A deletion of the oldest results."""

    action = "delete results"
    no_way_back = "a deleted result is gone; where it is wanted, call its task again: `zumo call`"

    keys: tuple[bytes, ...]
    goal: int  # bytes in use afterwards

    def carry_out(self, run: Run) -> None:
        """Delete them in pages."""
        for page, done in _paged(self.app, self.keys, lambda pipe, key: pipe.unlink(key), run):
            for key, deleted in zip(page, done, strict=True):
                run.step(_id(self.app, key), "deleted" if deleted else "gone meanwhile")

    def verify(self, run: Run) -> Observation:
        """The server says that it uses less than its limit."""
        told = client(self.app).info("memory")
        run.after |= {name: told[name] for name in ("used_memory", "maxmemory")}
        used, limit = told["used_memory"] / MB, told["maxmemory"] / MB
        if not limit:
            return Observation.of(None, f"the server uses {used:,.1f} MB and has no memory limit any more")
        what = f"the server uses {used:,.1f} of {limit:,.1f} MB"
        return Observation.of(used < limit, what, lasting="until new results fill it")


def expire(app: Celery, *, seconds: float | None = None) -> Expire:
    """Plan to give every finished result without an expiry one.

    Parameters
    ----------
    seconds
        From now; None takes the app's ``result_expires``, or a day where that is none.
    """
    wanted = int(seconds or _seconds(app.conf.result_expires) or DAY)
    found = [stored for stored in all_of(app) if stored.expires is None]
    preview = _frame(app, found)
    return Expire(
        app=app,
        target="results",
        summary=f"let {len(found):,} results expire in {wanted / 3_600:g} h",
        preview=preview,
        caveats=("a result that somebody still wants must be fetched until then",),
        asked={"seconds": wanted},
        before={"without_expiry": len(found)},
        keys=tuple(stored.key for stored in found),
        seconds=wanted,
    )


def delete_oldest(app: Celery, *, room: float = ROOM) -> Delete:
    """Plan to delete the finished results that would expire first, until the memory has room again.

    Parameters
    ----------
    room
        Share of the memory limit that may be in use afterwards.

    Raises
    ------
    InputError
        When the server has no memory limit.
    """
    told = client(app).info("memory")
    if not told["maxmemory"]:
        raise InputError("the result backend has no memory limit (maxmemory 0), so nothing need be deleted")
    goal = int(room * told["maxmemory"])
    found = sorted(
        (stored for stored in all_of(app) if stored.finished and stored.expires is not None),
        key=lambda stored: stored.expires or 0.0,
    )
    chosen: list[Stored] = []
    excess = told["used_memory"] - goal
    for stored in found:
        if excess <= 0:
            break
        chosen.append(stored)
        excess -= stored.size
    enough = (
        () if excess <= 0 else ("what else is stored there fills it too: results alone do not make room",)
    )
    return Delete(
        app=app,
        target="results",
        summary=f"delete the {len(chosen):,} oldest results ({sum(s.size for s in chosen) / 2**20:,.1f} MB)",
        preview=_frame(app, chosen),
        caveats=("a deleted result is gone: who waits for it sees PENDING for ever", *enough),
        asked={"room": room},
        before={name: told[name] for name in ("used_memory", "maxmemory")},
        keys=tuple(stored.key for stored in chosen),
        goal=goal,
    )


def _paged(
    app: Celery, keys: tuple[bytes, ...], do: Any, run: Run
) -> Iterator[tuple[tuple[bytes, ...], list[Any]]]:
    server = client(app)
    for first in range(0, len(keys), PAGE):
        run.heed()
        page = keys[first : first + PAGE]
        try:
            with server.pipeline(transaction=False) as pipe:
                for key in page:
                    do(pipe, key)
                done = pipe.execute()
        except redis.exceptions.RedisError as error:
            raise BrokerError(
                f"the result backend does not answer ({error}); start it, then plan it again"
            ) from error
        yield page, done


def _frame(app: Celery, found: list[Stored]) -> pd.DataFrame:
    rows = [(_id(app, s.key), s.size, float("nan") if s.expires is None else s.expires) for s in found]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _id(app: Celery, key: bytes) -> str:
    return key.removeprefix(bytes(app.backend.task_keyprefix)).decode(errors="replace")


def _seconds(value: Any) -> float | None:
    return value.total_seconds() if hasattr(value, "total_seconds") else value
