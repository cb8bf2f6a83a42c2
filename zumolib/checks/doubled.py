"""Do two beats send the same schedule? Each firing is dispatched twice then, within seconds.

Our own beats wait for each other; any other kind of beat does not, and says nothing of another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd

from zumolib.checks import schedule as beats
from zumolib.checks.check import Check, Finding
from zumolib.errors import CannotTell, HistoryError
from zumolib.frames import schedule
from zumolib.frames.scheduled import open_history
from zumolib.frames.window import Window
from zumolib.schedule import firings

if TYPE_CHECKING:
    from zumolib.checks.scene import Scene

LOOK = timedelta(hours=6)  # an hourly entry is dispatched often enough in it
NEAR = timedelta(seconds=5)  # between the dispatches of two beats: each looks at the latest every 5 s
SETTLED = timedelta(seconds=30)  # a firing is judged when the other beat has had its time
LEAST = 3  # doubled firings in a row; somebody may run an entry by hand
SLOWEST = 60.0  # seconds: an entry that fires more often may be near itself


def _doubled(scene: Scene) -> Iterator[Finding]:
    beats.require_known(scene)
    known = schedule.known(scene.app)
    known = known[known["enabled"].astype(bool) & known["when"].map(_seldom)]
    if scene.entry:
        known = known[known["name"] == scene.entry]
    # Where two entries send the same task, either may have sent it.
    alone = known[~known["task"].duplicated(keep=False)].set_index("task")["name"]
    window = Window(scene.now - LOOK, scene.now - SETTLED)
    try:
        history = scene.history or open_history()
        sent = history.select("sent_by_nobody", window, names=sorted(set(known["task"]))).to_pandas()
    except HistoryError as error:
        raise CannotTell(str(error)) from error
    found = doubled(sent.assign(entry=sent["entry"].fillna(sent["name"].map(alone))).dropna(subset="entry"))
    if found["firings"].sum() < LEAST:
        return
    names = ", ".join(found["entry"].head(3)) + (" and others" if len(found) > 3 else "")
    yield Finding(
        "beat-doubled",
        "",
        f"the last {found['firings'].sum()} firings of {names} were each sent more than once within "
        f"{NEAR.total_seconds():.0f} s, the last at {found['last'].max():%Y-%m-%d %H:%M:%S} UTC: two beats run on "
        "this schedule",
        "find every beat of this schedule (`ps`, your containers) and stop all but one; `zumo status` names "
        "the one that holds the lease",
    )


def doubled(sent: pd.DataFrame) -> pd.DataFrame:
    """Entries whose last firings were sent more than once, most firings first.

    Parameters
    ----------
    sent
        One row a dispatch: ``entry``, ``sent`` (UTC).

    Returns
    -------
    pandas.DataFrame
        ``entry``, ``firings`` (how many in a row, up to the last one), ``last`` (when that was sent).
    """
    rows = []
    for entry, times in sent.groupby("entry", observed=True)["sent"]:
        times = times.sort_values()
        firing = (times.diff() > NEAR).cumsum()
        counts = times.groupby(firing).agg(["size", "max"])[::-1]
        row = int((counts["size"] > 1).cummin().sum())
        if row:
            rows.append((str(entry), row, counts["max"].iloc[0]))
    frame = pd.DataFrame(rows, columns=["entry", "firings", "last"]).astype({"firings": "int64"})
    return frame.sort_values(["firings", "entry"], ascending=[False, True], ignore_index=True)


def _seldom(when: firings.Spec | None) -> bool:
    return isinstance(when, firings.Cron) or (isinstance(when, firings.Every) and when.seconds >= SLOWEST)


DOUBLED = Check("beat-doubled", "two beats send the same entries", _doubled)
CHECKS = (DOUBLED,)
