"""Which entry of the schedule a task came from, where its sender does not say.

Events do not carry the name of the entry that beat dispatched. Our dispatcher adds it, so for an app that
uses it the entry is recorded. For any other app it can only be concluded: a task that has the name of an
entry's task, and was sent when that entry was due, was sent by it. Somebody may have called the same task
by hand in the same seconds, so what is concluded is marked as such.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# Beat sends at the due moment or some seconds later, since it wakes up at the latest after
# `beat_max_loop_interval` (5 s) and sends one after the other; never earlier, but for its clock.
EARLY = 1.0  # seconds
LATE = 15.0  # seconds


def match(
    tasks: pd.DataFrame, firings: pd.DataFrame, *, early: float = EARLY, late: float = LATE
) -> pd.DataFrame:
    """Add the entry to tasks whose sender did not tell it.

    Parameters
    ----------
    tasks
        With the columns `name`, `sent` (datetime64[us, UTC]), `parent_id` and `entry`, in any order: as
        :meth:`zumolib.history.History.tasks` gives them. A task with a parent was sent by a task.
    firings
        When which entry was due in the time of these tasks: `at` (datetime64[us, UTC]), `entry` (its
        name) and `task` (the name of its task).
    early, late
        Seconds before and after the due moment in which beat may have sent.

    Returns
    -------
    pandas.DataFrame
        The tasks with the same index, their `entry` filled in where it could be concluded, and
        `entry_matched` (bool): whether it was. A firing has one task at most and a task one firing: of
        several that would do, the nearest in time, and with equal names and times the entries in order of
        name. Where two entries of the same task are due so close together that either could be meant,
        that is a guess like any other, and marked like any other.
    """
    found = tasks.copy()
    found["entry_matched"] = False
    open_ = tasks[tasks["entry"].isna() & tasks["parent_id"].isna() & tasks["sent"].notna()]
    if open_.empty or firings.empty:
        return found
    told = tasks[tasks["entry"].notna() & tasks["sent"].notna()]
    pairs = _pairs(open_, firings, early, late)
    # A firing whose task says so itself has none to give away.
    spent = _pairs(told, firings, early, late)
    spent = spent[told["entry"].reindex(spent["label"]).to_numpy() == spent["entry"].to_numpy()]
    used = set(spent.sort_values("distance").drop_duplicates("label")["firing"])
    entries: dict[object, str] = {}
    for label, firing, entry in pairs[["label", "firing", "entry"]].itertuples(index=False, name=None):
        if label not in entries and firing not in used:
            entries[label] = entry
            used.add(firing)
    matched = found.index.isin(list(entries))
    found.loc[matched, "entry"] = found.index[matched].map(entries)
    found["entry_matched"] = matched
    return found


def candidates(
    tasks: pd.DataFrame, firings: pd.DataFrame, *, early: float = EARLY, late: float = LATE
) -> pd.DataFrame:
    """The firings that may have sent one of these tasks; the frames are as for :func:`match`."""
    sent = tasks[tasks["sent"].notna()]
    if sent.empty or firings.empty:
        return firings.iloc[:0]
    return firings.iloc[sorted(set(_pairs(sent, firings, early, late)["firing"]))].reset_index(drop=True)


def _pairs(tasks: pd.DataFrame, firings: pd.DataFrame, early: float, late: float) -> pd.DataFrame:
    """Each task with each firing that may have sent it, the nearest first."""
    left = pd.DataFrame(
        {"label": tasks.index, "task": tasks["name"].to_numpy(), "sent": tasks["sent"].to_numpy()}
    )
    right = firings[["at", "entry", "task"]].reset_index(drop=True)
    right["firing"] = right.index
    pairs = _near(left, right, early, late)
    pairs["distance"] = (pairs["sent"] - pairs["at"]).abs()
    return pairs.sort_values(["distance", "entry", "sent", "firing"], kind="stable")


def _near(left: pd.DataFrame, right: pd.DataFrame, early: float, late: float) -> pd.DataFrame:
    """Pairs of the same task within the time, without making all pairs of a name first."""
    left, right = left.assign(sent=pd.to_datetime(left["sent"], utc=True)), right.sort_values("at")
    lefts, rights = [np.empty(0, dtype=np.intp)], [np.empty(0, dtype=np.intp)]
    due_of = right.reset_index(drop=True).groupby("task", observed=True).indices
    for name, rows in left.reset_index(drop=True).groupby("task", observed=True).indices.items():
        due = due_of.get(name)
        if due is None:
            continue
        at, sent = right["at"].iloc[due], left["sent"].iloc[rows]
        first = at.searchsorted(sent - pd.Timedelta(seconds=late), side="left")
        count = at.searchsorted(sent + pd.Timedelta(seconds=early), side="right") - first
        lefts.append(np.repeat(rows, count))
        # Counts on from each one's first, beginning anew with each.
        steps = np.arange(count.sum()) - np.repeat(count.cumsum() - count, count)
        rights.append(due[np.repeat(first, count) + steps])
    pairs = left.iloc[np.concatenate(lefts)].reset_index(drop=True)
    return pairs.join(right.drop(columns="task").iloc[np.concatenate(rights)].reset_index(drop=True))
