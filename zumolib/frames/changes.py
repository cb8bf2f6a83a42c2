"""What got slower: the same measure now and in the same stretch of time before."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Unpack

import pandas as pd

from zumolib.errors import InputError
from zumolib.frames import tasks
from zumolib.frames.runs import Measure
from zumolib.frames.statements import Filters, told
from zumolib.frames.window import Window

if TYPE_CHECKING:
    from zumolib.history import History

WEEK = timedelta(days=7)
OFTEN = 5  # runs on either side: the median of fewer is no finding


def before(window: Window, ago: timedelta = WEEK) -> Window:
    """The same stretch of time, so much earlier.

    Raises
    ------
    InputError
        When the two would overlap.
    """
    if ago < window.end - window.start:
        raise InputError(
            f"ago={ago}: a window of {window.hours:g} h would be compared with a part of itself; "
            "choose a shorter window or a longer time"
        )
    return Window(window.start - ago, window.end - ago, window.zone)


def slower(
    history: History,
    window: Window,
    *,
    by: str = "name",
    measure: Measure = "run_time",
    ago: timedelta = WEEK,
    least: int = OFTEN,
    **filters: Unpack[Filters],
) -> pd.DataFrame:
    """Medians now and before, of what ran often enough in both windows; what grew most comes first.

    Parameters
    ----------
    by
        Column to group by: name, queue, worker or entry.
    measure
        ``run_time`` or ``queue_wait``.
    ago
        How much earlier the other window lies.
    least
        Runs that a group needs in each window.

    Returns
    -------
    pandas.DataFrame
        `by` (str), ``queue`` (str; with tasks and entries), ``count`` and ``count_before`` (int64), ``p50``, ``p50_before``,
        ``p95`` and ``p95_before`` (float, seconds), ``times`` (float: p50 in multiples of what it was),
        ``added`` (float, seconds of p50 more than before; below 0 is quicker).

    Raises
    ------
    InputError
        For windows that overlap, an unknown filter or a column that cannot be grouped by.
    """
    keys = list(dict.fromkeys([by, "queue"] if by in ("name", "entry") else [by]))
    found: list[pd.DataFrame] = []
    for one in (window, before(window, ago)):
        measured = tasks.latency(history, one, by=keys, **filters)
        columns: dict[Any, str] = {f"{measure}_p50": "p50", f"{measure}_p95": "p95"}
        kept = measured[[*keys, "count", *columns]].rename(columns=columns)
        found.append(kept[kept["count"] >= least].dropna(subset=[by, "p50"]))
    now, then = found
    joined = now.merge(then, on=keys, suffixes=("", "_before"))
    # A median of less than a millisecond is told by the clock's noise.
    joined["times"] = joined["p50"].clip(lower=0.001) / joined["p50_before"].clip(lower=0.001)
    joined["added"] = joined["p50"] - joined["p50_before"]
    joined = joined.sort_values(["times", by], ascending=[False, True], ignore_index=True)
    return told(joined, history, window)
