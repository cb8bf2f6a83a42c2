"""Do the processes of workers grow, and which task makes them?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import psutil

from zumolib.checks import workers
from zumolib.checks.check import Check, Finding
from zumolib.errors import BrokerError, CannotTell
from zumolib.inspection import remote

if TYPE_CHECKING:
    from zumolib.checks.scene import Scene

MB = 2**20
GROWN = 250 * MB  # a process this much bigger than its parent holds what it should have given back
LEAK_PER_RUN = MB // 2  # smaller growth is an allocator's noise
LEAST_RUNS = 3
EVERY = 0.25  # seconds between samples
LATER = 4  # samples that show whether what a process had before was given back
STEP = 6  # samples: on a busy machine what a run adds is seen some samples later
UNEXPLAINED = 0.5  # of the squares that may be left for one more task to be blamed
ALIKE = 1.25  # times the squares that the blamed task leaves: who leaves fewer might be it as well
ROUNDING = 1e-9  # of the squares, by which sums of floats are off
LONGEST = 3.0  # times the asked watch, as long as two tasks explain the growth alike
COLUMNS = {"seconds": "float64", "worker": "str", "pid": "int64", "mb": "float64"}


def sizes(stats: dict[str, dict[str, Any]], resident: dict[str, Any]) -> dict[str, dict[int, int]]:
    """Resident bytes by worker and process id, the parent under its own id.

    Workers of this app tell their own (`resident`, wherever they run); others are looked at where they run
    on this machine, and left out where not.
    """
    found = {}
    for node, told in stats.items():
        its = _told(told, resident.get(node)) or _seen(told)
        if its:
            found[node] = its
    return found


def tells(resident: dict[str, Any], nodes: Sequence[str]) -> bool:
    """Whether all of these workers tell their own sizes; one that cannot logs each question as an error."""
    return all("own" in (resident.get(node) or ()) for node in nodes)


def _told(stats: dict[str, Any], resident: Any) -> dict[int, int]:
    if not isinstance(resident, dict) or not resident.get("children"):
        return {}
    return {stats["pid"]: resident["own"], **{int(pid): rss for pid, rss in resident["children"].items()}}


def _seen(stats: dict[str, Any]) -> dict[int, int]:
    children = (stats.get("pool") or {}).get("processes")
    try:
        parent = psutil.Process(stats["pid"])
        born = {child.pid: child for child in parent.children()}
        if not isinstance(children, list) or not set(children) <= set(born):
            return {}
        return {parent.pid: parent.memory_info().rss} | {p: born[p].memory_info().rss for p in children}
    except (psutil.Error, KeyError):
        return {}  # on another machine, or ending just now


def watch(scene: Scene) -> pd.DataFrame:
    """Size of each pool process while `scene.watch` seconds pass; asked once a scene.

    It goes on for longer while two tasks explain the growth alike, as tasks do that run little or together.

    Returns
    -------
    pandas.DataFrame
        ``seconds`` (since the start), ``worker``, ``pid``, ``mb`` (resident, 2**20 bytes). ``attrs``:
        `runs`, by sample and task, how often it was started by then.
    """
    if "_watched" not in scene.__dict__:
        scene.__dict__["_watched"] = _watch(scene)
    made: pd.DataFrame = scene.__dict__["_watched"]
    return made


def _watch(scene: Scene) -> pd.DataFrame:
    rows: list[tuple[float, str, int, float]] = []
    runs: list[dict[str, int]] = []
    known = tells(scene.fleet.answers["resident"], scene.fleet.replied)
    questions: dict[str, dict[str, Any]] = {"stats": {}, **({"resident": {}} if known else {})}
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) <= scene.watch or (
        elapsed <= LONGEST * scene.watch and growth(_framed(rows, runs)).attrs["alike"]
    ):
        try:
            answers = remote.ask(scene.app, questions, nodes=scene.fleet.replied)
        except BrokerError as error:
            raise CannotTell(str(error)) from error
        stats = answers["stats"]
        for node, its in sizes(stats, answers.get("resident", {})).items():
            parent = stats[node]["pid"]
            rows += [(elapsed, node, pid, rss / MB) for pid, rss in its.items() if pid != parent]
        total: dict[str, int] = {}
        for told in stats.values():
            for name, count in (told.get("total") or {}).items():
                total[name] = total.get(name, 0) + count
        runs.append(total)
        scene.sleep(EVERY)
    return _framed(rows, runs)


def _framed(rows: list[tuple[float, str, int, float]], runs: list[dict[str, int]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    frame.attrs["runs"] = runs
    return frame


def growth(frame: pd.DataFrame) -> pd.Series:
    """How much each task adds to its process, in MB a run: the least squares of what was added in each step.

    What a process gave back later does not count: neither what a task held only while it ran, nor what a
    replaced process had. A task is blamed only where the others do not explain the growth as well.

    Returns
    -------
    pandas.Series
        MB by task. ``attrs``: `alike`, the names of those that explain the growth about as well as the
        one that does it best.
    """
    nothing = pd.Series(dtype="float64")
    nothing.attrs["alike"] = []
    if frame["seconds"].nunique() <= LATER + STEP:
        return nothing
    wide = frame.pivot(index="seconds", columns=["worker", "pid"], values="mb")
    kept = wide[::-1].cummin()[::-1][:-LATER]  # the least that it is from then on
    total = kept.diff().clip(lower=0).sum(axis=1).cumsum()
    runs = pd.DataFrame(frame.attrs["runs"]).fillna(0)
    ran = (runs - runs.iloc[0]).iloc[-len(wide) :][:-LATER]
    ran = ran.loc[:, ran.iloc[-1] >= LEAST_RUNS]
    if ran.empty or not total.iloc[-1]:
        return nothing
    # Step by step: over the whole time, everything that runs follows everything that grows.
    ran, grown = ran[::STEP].diff()[1:], np.diff(total[::STEP])
    left, blamed, per_run = float(grown @ grown), list[str](), nothing
    rounding = ROUNDING * left
    alike: list[str] = []
    while len(blamed) < ran.shape[1] and left > rounding:
        fits = {name: _fit(ran[[*blamed, name]], grown) for name in ran.columns if name not in blamed}
        name = min(fits, key=lambda name: fits[name][1])
        made, error = fits[name]
        if error > left * UNEXPLAINED or made.min() * MB < LEAK_PER_RUN:
            break
        blamed, per_run, left = [*blamed, name], made, error
        near = [other for other in fits if fits[other][1] < ALIKE * error + rounding]
        alike = near if len(blamed) == 1 and len(near) > 1 else []
    found = per_run.sort_values(ascending=False)
    found.attrs["alike"] = sorted(alike)
    return found


def _fit(ran: pd.DataFrame, grown: np.ndarray) -> tuple[pd.Series, float]:
    """MB a run of these tasks, and the squares that they leave."""
    per_run, *_ = np.linalg.lstsq(ran.to_numpy(dtype="float64"), grown, rcond=None)
    error = grown - ran.to_numpy() @ per_run
    return pd.Series(per_run, index=ran.columns), float(error @ error)


def _leaks(scene: Scene) -> Iterator[Finding]:
    if not scene.watch:
        raise CannotTell("memory was not watched")
    frame = watch(scene)
    if frame.empty:
        raise CannotTell("the workers run on other machines, whose processes are not seen from here")
    found = growth(frame)
    if found.attrs["alike"]:
        raise CannotTell(
            f"memory grew, and {' and '.join(found.attrs['alike'])} explain it alike: watch for longer"
        )
    for name, mb in found.items():
        if mb * MB >= LEAK_PER_RUN and scene.concerns(str(name)):
            yield Finding(
                "task-leaks",
                str(name),
                f"each run of {name} leaves about {mb:,.1f} MB in its process",
                "replace the processes now; mend the task, and let `worker_max_memory_per_child` bound it",
                facts={"workers": sorted(frame["worker"].unique())},
            )


def _grown(scene: Scene) -> Iterator[Finding]:
    stats = scene.fleet.answers["stats"]
    seen = sizes(stats, scene.fleet.answers["resident"])
    if not seen:
        raise CannotTell("the workers run on other machines, whose processes are not seen from here")
    for node, its in seen.items():
        parent = its[stats[node]["pid"]]
        grown = [rss for pid, rss in its.items() if pid != stats[node]["pid"] and rss > parent + GROWN]
        if grown:
            yield Finding(
                "process-grew",
                node,
                f"{len(grown)} of the {len(its) - 1} processes of {node} hold up to {max(grown) / MB:,.0f} MB, "
                f"their parent {parent / MB:,.0f} MB",
                "replace the processes; watch for longer, while the tasks run, to see which one it is",
                facts={"workers": [node]},
            )


LEAKS = Check("task-leaks", "a task leaks", _leaks, after=workers.IDS)
GREW = Check("process-grew", "a process grew, no leak was seen", _grown, after=(*workers.IDS, "task-leaks"))
CHECKS = (LEAKS, GREW)
