"""Whether something grew: the first quarter of the samples beside the last, and what is too much."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

MB = 1_000_000
MEMORY = ("rss", "used_memory")

WARM = (0.25, 0.35)  # shares of the time: what is measured then is what may not grow
GROWTH = 0.10  # of memory, from then to the last quarter
NOISE = 2 * MB  # growth of memory that is within an allocator's pages

# Of these the lower quartile counts: a leak raises it, threads and files of a moment's work do not.
# What the measures of processes and of Valkey may rise by from then to the last quarter.
RISE = {"handles": 5, "files": 5, "threads": 2, "children": 1, "connections": 5, "keys": 200}


@dataclass(frozen=True)
class Folder:
    """Bounds of one folder."""

    files: int | None = None  # at most so many
    bytes: float | None = None  # at most so many
    files_an_hour: float | None = None
    bytes_an_hour: float | None = None


# What has a retention of days fills until then: there the bound is on what an hour of this load adds.
FOLDERS = {
    "log": Folder(files=36, bytes=36 * 5 * MB),  # 5 MB and three older files for each of nine logs
    "run": Folder(files=40, bytes=5 * MB),
    "tmp": Folder(files=200, bytes=50 * MB),
    "mail": Folder(files=5_010, bytes=100 * MB),
    "valkey": Folder(files=6, bytes=300 * MB),
    "history": Folder(files=1_500, bytes_an_hour=20 * MB),
    "(home)": Folder(files=20, bytes_an_hour=20 * MB),
    "backups": Folder(files=100, bytes_an_hour=200 * MB),
}
OTHERS = Folder(files_an_hour=60, bytes_an_hour=20 * MB)


def table(samples: pd.DataFrame) -> pd.DataFrame:
    """One row a measure: the first quarter beside the last, and what is wrong with it.

    Parameters
    ----------
    samples : pandas.DataFrame
        Columns `seconds` since the first sample, `kind`, `name`, `measure`, `value`.

    Returns
    -------
    pandas.DataFrame
        Columns kind, name, measure, samples, first, warm, last, highest, growth, problem; `warm` is what it was
        when it had warmed up, `growth` the last quarter's share above that; `problem` is empty where it is within its bounds.
    """
    span = float(samples["seconds"].max())
    rows = []
    for key, group in samples.groupby(["kind", "name", "measure"], sort=True):
        kind, name, measure = (str(part) for part in key)
        if measure == "cpu":
            continue
        values, at = group["value"], group["seconds"] / span
        level = 0.25 if measure in RISE else 0.5
        first, warm, last = (
            float(values[part].quantile(level)) for part in (at < 0.25, at.between(*WARM), at >= 0.75)
        )
        problem = _problem(kind, name, measure, group, warm, last, span / 3_600)
        rows.append(
            {
                "kind": kind,
                "name": name,
                "measure": measure,
                "samples": len(group),
                "first": first,
                "warm": warm,
                "last": last,
                "highest": float(group["value"].max()),
                "growth": last / warm - 1 if warm else None,
                "problem": problem,
            }
        )
    return pd.DataFrame(rows)


def _problem(
    kind: str, name: str, measure: str, group: pd.DataFrame, warm: float, last: float, hours: float
) -> str:
    values = group["value"]
    if pd.isna(last):
        return "not there in the last quarter"
    if measure == "pid":
        return "" if values.nunique() == 1 else f"started {values.nunique()} times"
    if pd.isna(warm):
        return ""  # it came later: the last quarter alone shows no growth
    if measure in MEMORY:
        grew = last - warm
        return f"grew by {grew / warm:.0%}" if grew > max(GROWTH * warm, NOISE) else ""
    if kind == "folder":
        return _of_folder(FOLDERS.get(name, OTHERS), measure, group, hours)
    if measure in RISE and last - warm > RISE[measure]:
        return f"rose by {last - warm:.0f}, {RISE[measure]} may be"
    return ""


def _of_folder(bounds: Folder, measure: str, group: pd.DataFrame, hours: float) -> str:
    most = bounds.files if measure == "files" else bounds.bytes
    rate = bounds.files_an_hour if measure == "files" else bounds.bytes_an_hour
    values = group["value"]
    if most is not None and values.max() > most:
        return f"{values.max():.0f}, {most:.0f} may be"
    # What came in the first half, demo data and first files, is no pace; a trial of minutes has none at all.
    later = group[group["seconds"] >= group["seconds"].max() / 2]
    grew = float(later["value"].iloc[-1] - later["value"].iloc[0])
    if rate is not None and grew > max(rate * hours / 2, rate / 4):
        return f"grew by {grew:.0f} in half the time, {rate:.0f} an hour may be"
    return ""


def cpu(samples: pd.DataFrame) -> dict[str, float]:
    """Share of one core that each service took with its processes, from its first to its last sample."""
    rows = samples[samples["measure"] == "cpu"]
    # The time of a pool's process moves to its parent when it ends: only both together never fall.
    sums = rows.groupby([rows["name"].str.removesuffix(" pool"), "seconds"])["value"].sum()
    found = {}
    for name, group in sums.groupby(level=0):
        seconds = group.index.get_level_values("seconds")
        if span := seconds[-1] - seconds[0]:
            found[str(name)] = float(group.iloc[-1] - group.iloc[0]) / float(span)
    return found
