"""The schedule as frames: entries as the database has them, their firings, and where those crowd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib.conf import conf
from zumolib.frames.window import Window
from zumolib.schedule import firings as expansion
from zumolib.schedule.faults import landing_queue

if TYPE_CHECKING:
    from celery import Celery

COLUMNS = (
    "name",
    "task",
    "queue",
    "schedule",
    "kind",
    "enabled",
    "timezone",
    "last_run_at",
    "start_time",
    "expires",
    "when",
    "problem",
)
MOST_FIRINGS = 3_000_000  # of one entry in one window: a month of one a second
MOMENTS = ("last_run_at", "start_time", "expires")


def entries(app: Celery | None = None) -> pd.DataFrame:
    """The schedule as beat has it, one row an entry, by name.

    Parameters
    ----------
    app
        Whose routes decide where an entry without a queue lands; None means the one of ``ZUMO_APP``.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``task``, ``queue`` (where it lands), ``schedule`` (readable), ``kind`` (crontab, interval,
        clocked, solar; empty for a row that has none), ``enabled``, ``timezone`` (IANA name),
        ``last_run_at``, ``start_time``, ``expires`` (UTC, NaT where unset), ``when`` (what
        :func:`zumolib.schedule.firings.expand` takes; None for solar entries, whose times depend on a place, and
        where no times can be computed) and ``problem`` (what is wrong with a row that beat can neither
        schedule nor send; empty for others).
    """
    from zumolib.schedule import rows

    frame = pd.DataFrame(
        [{name: getattr(row, name) for name in COLUMNS} for row in rows.read(app or _our_app())],
        columns=list(COLUMNS),
    )
    for column in MOMENTS:
        frame[column] = pd.to_datetime(frame[column], utc=True).astype("datetime64[us, UTC]")
    return frame


def bad(entries: pd.DataFrame) -> pd.DataFrame:
    """The rows that beat can neither schedule nor send, by name.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``schedule``, ``enabled``, ``problem``: what is wrong with it.
    """
    columns = ["name", "schedule", "enabled", "problem"]
    return entries.reindex(columns=columns)[_bad(entries)].reset_index(drop=True)


def known(app: Celery | None = None) -> pd.DataFrame:
    """Every entry by which tasks may be sent: those of the database, and those of the app's configuration.

    A foreign app may have its crontabs in ``beat_schedule`` and no table. Its intervals count from when its
    beat was started, which nobody tells, so their ``when`` is None.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``task``, ``queue``, ``enabled``, ``start_time``, ``expires``, ``when`` and ``problem``, as
        in :func:`entries`.
    """
    app = app or _our_app()
    found = entries(app)[["name", "task", "queue", "enabled", "start_time", "expires", "when", "problem"]]
    configured = [
        {
            "name": name,
            "task": entry["task"],
            "queue": landing_queue(app, entry["task"], (entry.get("options") or {}).get("queue")),
            "enabled": True,
            "when": _configured(entry["schedule"], app),
            "problem": "",
        }
        for name, entry in (app.conf.beat_schedule or {}).items()
        if name not in set(found["name"])
    ]
    if not configured:
        return found
    return pd.concat([found, pd.DataFrame(configured)], ignore_index=True).astype(found.dtypes.to_dict())


def firings(entries: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Every firing of the enabled entries in a window; bad rows have none, nor has one with over 3 million.

    Intervals keep the phase of their last dispatch. An entry fires not before its ``start_time`` and not
    from its ``expires`` on.

    Returns
    -------
    pandas.DataFrame
        One row a firing, by time: ``at`` (UTC), ``name``, ``task``, ``queue``.
    """
    enabled = entries[
        entries["enabled"].astype(bool) & ~_bad(entries) & ~_countless(entries, window)
    ].reset_index(drop=True)
    found = expansion.expand(list(enabled["when"]), window.start, window.end)
    result = found.join(enabled[["name", "task", "queue", "start_time", "expires"]], on="entry")
    begun = result["start_time"].isna() | (result["at"] >= result["start_time"])
    going = result["expires"].isna() | (result["at"] < result["expires"])
    return result.loc[begun & going, ["at", "name", "task", "queue"]].reset_index(drop=True)


def note(entries: pd.DataFrame, window: Window) -> str:
    """Source, age and completeness of what the schedule says about a window, as one line."""
    enabled = int(entries["enabled"].sum())
    text = f"Source: schedule in the database, {enabled:,} of {len(entries):,} entries enabled"
    unusable = _bad(entries)
    unplaced = int((entries["enabled"].astype(bool) & entries["when"].isna() & ~unusable).sum())
    if unplaced:
        text += f", {unplaced:,} that follow the sun left out"
    countless = int((entries["enabled"].astype(bool) & ~unusable & _countless(entries, window)).sum())
    if countless:
        text += f", {countless:,} with over {MOST_FIRINGS:,} firings left out"
    count = int((entries["enabled"].astype(bool) & unusable).sum())
    if count:
        text += f", {count:,} that cannot be sent left out"
    return f"{text}; {window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC"


def load(entries: pd.DataFrame, firings: pd.DataFrame) -> pd.DataFrame:
    """What the schedule asks of each queue, most firings first.

    Returns
    -------
    pandas.DataFrame
        ``queue``, ``entries``, ``disabled`` (of those) and ``firings`` (counts).
    """
    grouped = entries.groupby("queue", observed=True)["enabled"]
    frame = pd.DataFrame({"entries": grouped.size(), "disabled": grouped.apply(lambda on: int((~on).sum()))})
    frame["firings"] = firings.groupby("queue", observed=True).size().reindex(frame.index, fill_value=0)
    return frame.reset_index().sort_values(["firings", "queue"], ascending=[False, True], ignore_index=True)


def density(firings: pd.DataFrame, *, zone: str = "UTC") -> pd.DataFrame:
    """Firings by weekday and hour.

    Returns
    -------
    pandas.DataFrame
        168 rows: ``weekday`` (0 is Monday), ``hour`` (0 to 23), both on the wall clock of `zone`, and
        ``count`` (firings in the whole window: over one week, firings a week).
    """
    at = firings["at"].dt.tz_convert(zone)
    cells = pd.MultiIndex.from_product([range(7), range(24)], names=["weekday", "hour"])
    count = firings.groupby([at.dt.day_of_week.rename("weekday"), at.dt.hour.rename("hour")]).size()
    return count.reindex(cells, fill_value=0).rename("count").reset_index().astype("int64")


def by_hour(firings: pd.DataFrame, *, zone: str = "UTC") -> pd.DataFrame:
    """Firings by hour of the day (on the wall clock of `zone`) and queue: ``hour``, ``queue``, ``count``."""
    hour = firings["at"].dt.tz_convert(zone).dt.hour.rename("hour")
    return firings.groupby([hour, "queue"], observed=True).size().rename("count").reset_index()


def crowded(firings: pd.DataFrame) -> pd.DataFrame:
    """Minutes by the number of entries due in them, most first.

    Returns
    -------
    pandas.DataFrame
        ``at`` (start of the minute, UTC), ``count`` and ``queue_counts`` (text: "default 6, hr 2").
    """
    minute = firings["at"].dt.floor("min")
    counts = firings.groupby([minute, "queue"], observed=True).size().rename("count").reset_index()
    counts = counts.sort_values(["at", "count", "queue"], ascending=[True, False, True])
    counts["text"] = counts["queue"].astype(str) + " " + counts["count"].astype(str)
    frame = counts.groupby("at").agg(count=("count", "sum"), queue_counts=("text", ", ".join)).reset_index()
    return frame.sort_values(["count", "at"], ascending=[False, True], ignore_index=True)


def who(firings: pd.DataFrame, crowded: pd.DataFrame, *, minutes: int = 3) -> pd.DataFrame:
    """Who is due in the most crowded minutes.

    Parameters
    ----------
    crowded
        As :func:`crowded` gives it.
    minutes
        How many of them.

    Returns
    -------
    pandas.DataFrame
        ``at`` (start of the minute, UTC), ``queue``, ``name`` (of the entry), ``task``; in the order of
        `crowded`, then by queue and name.
    """
    chosen = list(crowded["at"].head(minutes))
    due = firings.assign(at=firings["at"].dt.floor("min"))
    due = due[due["at"].isin(chosen)]
    rank = due["at"].map({at: place for place, at in enumerate(chosen)})
    ordered = due.assign(rank=rank).sort_values(["rank", "queue", "name"], ignore_index=True)
    return ordered[["at", "queue", "name", "task"]]


def _bad(entries: pd.DataFrame) -> pd.Series:
    """Which rows cannot be sent; none in a frame that somebody made without the column."""
    if "problem" not in entries:
        return pd.Series(False, index=entries.index)
    return entries["problem"].astype("str") != ""


def _countless(entries: pd.DataFrame, window: Window) -> pd.Series:
    """Which entries are due more often than can be counted one by one: an interval may be a microsecond."""
    seconds = (window.end - window.start).total_seconds()
    found = [isinstance(w, expansion.Every) and seconds > w.seconds * MOST_FIRINGS for w in entries["when"]]
    return pd.Series(found, index=entries.index, dtype="bool")


def _our_app() -> Celery:
    from celery.app.utils import find_app

    return find_app(conf().ZUMO_APP)


def _configured(schedule: Any, app: Celery) -> expansion.Spec | None:
    from celery.schedules import crontab

    if not isinstance(schedule, crontab):
        return None
    names = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year")
    fields: dict[str, Any] = {}
    for name in names:
        value = getattr(schedule, f"_orig_{name}")
        fields[name] = str(value) if isinstance(value, int | str) else ",".join(map(str, sorted(value)))
    return expansion.Cron(**fields, zone=str(app.timezone))
