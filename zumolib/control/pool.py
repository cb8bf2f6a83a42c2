"""Workers' pools: grow, shrink, autoscale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib.control import command
from zumolib.control.effect import appears
from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.errors import InputError
from zumolib.inspection import fleet
from zumolib.inspection.fleet import Fleet
from zumolib.receipts.observation import UNTIL_RESTART, Observation, of_nodes

if TYPE_CHECKING:
    from celery import Celery

COLUMNS = ("worker", "before", "after")
RESIZE_SECONDS = 10.0  # a pool follows within 5 s
MOST = 512  # processes
_KEPT = "a worker that restarts has the size of its settings again"


@dataclass(frozen=True, kw_only=True, eq=False)
class Resize(Plan):
    """More or fewer processes."""

    sizes: Mapping[str, int]  # wanted, by worker
    count: int

    def carry_out(self, run: Run) -> None:
        """Tell the workers."""
        name = "pool_grow" if self.action == "grow" else "pool_shrink"
        said = command.give(self.app, name, {"n": self.count}, nodes=list(self.sizes))
        for answer in said:
            run.step(answer.node, answer.text, ok=answer.ok)

    def verify(self, run: Run) -> Observation:
        """The workers count as many processes as wanted."""

        def look() -> bool:
            now = fleet.snapshot(self.app, nodes=run.succeeded)
            run.after["processes"] = {node: now.processes(node) for node in run.succeeded}
            return all(run.after["processes"][node] == self.sizes[node] for node in run.succeeded)

        effect = appears(look, RESIZE_SECONDS)
        sizes = ", ".join(f"{node} has {size} processes" for node, size in run.after["processes"].items())
        return Observation.of(effect, sizes, lasting=UNTIL_RESTART)

    def way_back(self, run: Run) -> dict[str, Any] | None:
        """As many fewer, or more."""
        back = "shrink" if self.action == "grow" else "grow"
        return {"action": back, "arguments": {"workers": run.succeeded, "count": self.count}}


@dataclass(frozen=True, kw_only=True, eq=False)
class Grow(Resize):
    """More processes."""

    action = "grow"


@dataclass(frozen=True, kw_only=True, eq=False)
class Shrink(Resize):
    """Fewer processes."""

    action = "shrink"


@dataclass(frozen=True, kw_only=True, eq=False)
class Autoscale(Plan):
    """Other bounds for workers that scale by themselves."""

    action = "autoscale"

    bounds: Mapping[str, tuple[int, int]]  # least and most processes, by worker

    def carry_out(self, run: Run) -> None:
        """Tell each worker."""
        for node, (least, most) in self.bounds.items():
            run.heed()
            [answer] = command.give(self.app, "autoscale", {"max": most, "min": least}, nodes=[node])
            run.step(answer.node, answer.text, ok=answer.ok)

    def verify(self, run: Run) -> Observation:
        """The workers tell these bounds."""
        now = fleet.snapshot(self.app, nodes=run.succeeded)
        run.after["bounds"] = {node: _bounds(now, node) for node in run.succeeded}
        agreed = sum(run.after["bounds"][node] == self.bounds[node] for node in run.succeeded)
        what = of_nodes(agreed, len(run.succeeded), "tell the new bounds")
        return Observation.of(agreed == len(run.succeeded), what, lasting=UNTIL_RESTART)

    def way_back(self, run: Run) -> dict[str, Any] | None:
        """The old bounds of each."""
        return {
            "action": "autoscale",
            "arguments": {"bounds": {node: self.before[node] for node in run.succeeded}},
        }


def grow(
    app: Celery,
    workers: Sequence[str],
    count: int = 1,
    *,
    seen: Fleet | None = None,
    undoes: int | None = None,
) -> Resize:
    """Plan `count` more processes for each of these workers.

    Raises
    ------
    InputError
        For a count that cannot be, a worker that does not reply or whose pool cannot be resized.
    """
    return _resize(Grow, app, workers, count, seen, undoes)


def shrink(
    app: Celery,
    workers: Sequence[str],
    count: int = 1,
    *,
    seen: Fleet | None = None,
    undoes: int | None = None,
) -> Resize:
    """Plan `count` fewer processes for each of these workers; one stays at least.

    Raises
    ------
    InputError
        For a count that cannot be, a worker that does not reply or whose pool cannot be resized.
    """
    return _resize(Shrink, app, workers, count, seen, undoes)


def autoscale(
    app: Celery,
    workers: Sequence[str] = (),
    *,
    least: int = 1,
    most: int = 1,
    bounds: Mapping[str, Sequence[int]] | None = None,
    seen: Fleet | None = None,
    undoes: int | None = None,
) -> Autoscale:
    """Plan other bounds for workers that were started with autoscaling.

    Parameters
    ----------
    least, most
        Processes.
    bounds
        Instead: least and most for each worker.

    Raises
    ------
    InputError
        For bounds that cannot be, and workers that do not scale by themselves.
    """
    wanted = {n: (int(b[0]), int(b[1])) for n, b in (bounds or dict.fromkeys(workers, (least, most))).items()}
    for low, high in wanted.values():
        if not 0 <= low <= high <= MOST or high == 0:
            raise InputError(f"least={low}, most={high}: pass 0 <= least <= most <= {MOST}, most above 0")
    now = there(app, list(wanted), seen)
    before = {}
    for node in wanted:
        old = _bounds(now, node)
        if old is None:
            raise InputError(
                f"{node} does not scale by itself; start it with --autoscale=max,min, or grow and shrink it"
            )
        before[node] = old
    changing = {node: wanted[node] for node in wanted if wanted[node] != before[node]}
    rows = [(n, f"{before[n][0]} to {before[n][1]}", f"{b[0]} to {b[1]}") for n, b in changing.items()]
    return Autoscale(
        app=app,
        target=", ".join(wanted),
        summary=f"autoscale {', '.join(changing) or 'nothing'} between {_span(wanted)} processes",
        preview=pd.DataFrame(rows, columns=list(COLUMNS)),
        caveats=(_KEPT, "the pool follows as the load changes"),
        asked={"bounds": wanted},
        before={node: list(old) for node, old in before.items()},
        undoes=undoes,
        bounds=changing,
    )


def _resize(
    kind: type[Resize],
    app: Celery,
    workers: Sequence[str],
    count: int,
    seen: Fleet | None,
    undoes: int | None,
) -> Resize:
    if not 1 <= count <= MOST:
        raise InputError(f"count={count}: pass 1 to {MOST} processes")
    now = there(app, workers, seen)
    sizes, rows = {}, []
    for node in workers:
        size = now.processes(node)
        pool = (now.answers["stats"][node].get("pool") or {}).get("processes")
        if not isinstance(pool, list) or size is None:
            raise InputError(f"the pool of {node} cannot be resized; only prefork pools can")
        if _bounds(now, node) is not None:
            raise InputError(f"{node} scales by itself; change its bounds with autoscale")
        sizes[node] = size + count if kind is Grow else size - count
        if sizes[node] < 1:
            raise InputError(f"{node} has {size} processes; shrink it by {size - 1} at most")
        if sizes[node] > MOST:
            raise InputError(f"{node} has {size} processes; {MOST} are the most")
        rows.append((node, size, sizes[node]))
    caveats = [_KEPT, "the pool follows within some seconds"]
    if kind is Shrink:
        caveats.append("only idle processes end: a busy worker may refuse, or shrink by less")
    noun = "1 process" if count == 1 else f"{count} processes"
    return kind(
        app=app,
        target=", ".join(workers),
        summary=f"{kind.action} {', '.join(workers)} by {noun}",
        preview=pd.DataFrame(rows, columns=list(COLUMNS)),
        caveats=tuple(caveats),
        asked={"workers": list(workers), "count": count},
        before={"processes": {node: before for node, before, _ in rows}},
        undoes=undoes,
        sizes=sizes,
        count=count,
    )


def there(app: Celery, workers: Sequence[str], seen: Fleet | None) -> Fleet:
    """A snapshot in which all these workers replied."""
    if not workers:
        raise InputError("which workers? name them as `zumo status` or the workers notebook does")
    now = seen or fleet.snapshot(app, nodes=list(workers))
    missing = [node for node in workers if node not in now.replied]
    if missing:
        raise InputError(f"{missing[0]} does not reply; silence is not death, but nothing can be told to it")
    return now


def _bounds(now: Fleet, node: str) -> tuple[int, int] | None:
    scale = (now.answers["stats"].get(node) or {}).get("autoscaler")
    return (int(scale["min"]), int(scale["max"])) if scale else None


def _span(wanted: Mapping[str, tuple[int, int]]) -> str:
    return " / ".join(dict.fromkeys(f"{low} and {high}" for low, high in wanted.values()))
