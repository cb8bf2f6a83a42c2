"""A history together with the schedule: which entry sent a task whose sender does not say.

Our app's events carry the entry, a foreign app's do not, and neither do events from before it was ours.
There it is concluded from name and time (:mod:`zumolib.schedule.matching`), and marked. That is done for the rows
that a frame shows, and for a whole window only where somebody filters or groups by entry.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from zumolib.conf import conf
from zumolib.errors import ZumoError
from zumolib.frames import schedule
from zumolib.frames.window import Window
from zumolib.history import History
from zumolib.history.queries import query
from zumolib.history.view import By
from zumolib.schedule.matching import EARLY, LATE, candidates, match

logger = logging.getLogger(__name__)

# Tasks sent this near to those in question may be what their firings sent.
NEAR = timedelta(seconds=EARLY + LATE)


class Scheduled(History):
    """A recorded history whose tasks may come from a schedule.

    Parameters
    ----------
    root
        As :class:`zumolib.history.History` takes it.
    entries
        The schedule, as :func:`zumolib.frames.schedule.entries` gives it; asked each time it is needed.
        Intervals are told by the phase of their last dispatch, so one that has changed since is concluded
        for the time after that only.
    """

    def __init__(self, root: Path | str, entries: Callable[[], pd.DataFrame]) -> None:
        super().__init__(root)
        self._entries = entries

    def concluded(
        self, window: Window | tuple[datetime, datetime], *, by: By = "any", only: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """The entries of a window's tasks whose sender told none: ``task_id`` and ``entry``, both str.

        Parameters
        ----------
        by
            Which tasks, as in :meth:`zumolib.history.History.select`.
        only
            These entries only; None for all.
        """
        known = self._known()
        chosen = known if only is None else known[known["name"].isin(list(only))]
        names = sorted(set(chosen["task"]))
        if not names:
            return _NOTHING
        [reach] = self.select("frame_untold_reach", window, by=by, names=names).to_pylist()
        if reach["first"] is None:
            return _NOTHING
        found = self._conclude(known, names, reach["first"], reach["last"])
        return found if only is None else found[found["entry"].isin(list(only))]

    def fill(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The same rows, with the entries that can be concluded, and ``entry_matched`` true for those.

        Parameters
        ----------
        rows
            With ``task_id``, ``name``, ``sent``, ``parent_id``, ``entry`` and ``entry_matched``.
        """
        untold = rows[rows["entry"].isna() & rows["parent_id"].isna() & rows["sent"].notna()]
        known = self._known() if len(untold) else _NO_ENTRIES
        untold = untold[untold["name"].isin(set(known["task"]))]
        if untold.empty:
            return rows
        found = self._conclude(
            known, sorted(set(untold["name"])), untold["sent"].min(), untold["sent"].max()
        ).set_index("task_id")["entry"]
        matched = rows["entry"].isna() & rows["task_id"].isin(found.index)
        filled = rows["entry"].where(~matched, rows["task_id"].map(found))
        return rows.assign(entry=filled.astype(rows["entry"].dtype), entry_matched=matched)

    def _known(self) -> pd.DataFrame:
        """The schedule; an empty one where it cannot be read, and then nothing is concluded."""
        from django.db import DatabaseError

        try:
            return self._entries()
        except (DatabaseError, ZumoError) as error:
            logger.warning("No entry is concluded, since the schedule cannot be read: %s", error)
            return _NO_ENTRIES

    def _conclude(
        self, known: pd.DataFrame, names: list[str], first: datetime, last: datetime
    ) -> pd.DataFrame:
        """Entries of all untold tasks of these names that were sent from `first` to `last`."""
        reach = Window(first - NEAR, last + NEAR)
        untold = self.select("frame_untold", reach, names=names).to_pandas()
        due = schedule.firings(known[known["task"].isin(names)], Window(reach.start - NEAR, reach.end + NEAR))
        due = due.rename(columns={"name": "entry"})
        due = candidates(untold, due)
        if due.empty:
            return _NOTHING
        values = {"due": due["at"].dt.to_pydatetime().tolist(), "names": due["task"].tolist()}
        told = self.select("frame_told_near", reach, **values, early=EARLY, late=LATE).to_pandas()
        found = match(pd.concat([untold, told], ignore_index=True), due)
        return found.loc[found["entry_matched"], ["task_id", "entry"]]


def concluding(text: str, found: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    """A statement about ``{tasks}`` that sees these entries in it, and the parameters for that."""
    values = {"concluded_tasks": found["task_id"].tolist(), "concluded_entries": found["entry"].tolist()}
    return text.replace("{tasks}", f"({query('frame_concluded').strip()})"), values


_NOTHING = pd.DataFrame({"task_id": pd.Series(dtype="str"), "entry": pd.Series(dtype="str")})
_NO_ENTRIES = pd.DataFrame({"name": pd.Series(dtype="str"), "task": pd.Series(dtype="str")})


def open_history(folder: str = "") -> History:
    """The history in a folder or at a URL, with the app's schedule; empty means the one that the settings name."""
    return Scheduled(_place(folder) if folder else conf().history, schedule.known)


def _place(text: str) -> Path | str:
    return text if "://" in text else Path(text).expanduser()
