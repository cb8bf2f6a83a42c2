"""The named statements of ``frames.sql``: asked of a history, answered as a frame.

The work is DuckDB's, over the history's files: a frame holds what it shows and nothing else. What a
caller wrote goes in as a parameter; text is put together from names of columns only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zumolib.errors import InputError
from zumolib.frames.scheduled import Scheduled, concluding
from zumolib.history import queries

if TYPE_CHECKING:
    from zumolib.frames.window import Window
    from zumolib.history import History

TEXT, COUNT, SOME, REAL, FLAG = "str", "int64", "Int64", "float64", "bool"
DECIMALS = 9  # of seconds, shares and rates
MOMENT = "moment"  # datetime64[us] in the window's zone

_ARROW = {TEXT: pa.string(), COUNT: pa.int64(), SOME: pa.int64(), REAL: pa.float64(), FLAG: pa.bool_()}
_EXTENDED = {pa.int64(): pd.Int64Dtype()}

GROUPS = ("name", "queue", "worker", "state", "entry")

Shown = TypeVar("Shown", pd.DataFrame, pd.Series)
Names = str | Sequence[str] | None


class Filters(TypedDict, total=False):
    """What to keep: one value of a column or several; None, like leaving it out, keeps all."""

    name: Names  # of the task
    queue: Names
    worker: Names  # node name
    state: Names  # one of celery.states
    entry: Names  # of the schedule


class Condition:
    """Filters as SQL.

    Raises
    ------
    InputError
        For a filter that the frame does not know.
    """

    def __init__(self, filters: Mapping[str, Any], known: Sequence[str] = GROUPS) -> None:
        self.values: dict[str, str] = {}
        terms = []
        for column, wanted in filters.items():
            if column not in known:
                raise InputError(f"{column}={wanted!r}: no such filter; filter by {', '.join(known)}")
            if wanted is None:
                continue
            listed = [wanted] if isinstance(wanted, str) else [str(one) for one in wanted]
            names = {f"{column}_{number}": one for number, one in enumerate(listed)}
            # A list of constants is compared with the files' statistics; a call of a function is not.
            terms.append(f"{column} IN ({', '.join(f'${n}' for n in names)})" if names else "false")
            self.values |= names
        self.sql = " AND ".join(terms) or "true"
        #: Entries that are asked for; False where any will do.
        self.entries: tuple[str, ...] | bool = (
            tuple(value for key, value in self.values.items() if key.startswith("entry_")) or False
        )


def grouping(by: str | Sequence[str], known: Sequence[str] = GROUPS) -> tuple[str, ...]:
    """The columns to group by, if they are such.

    Raises
    ------
    InputError
        For a column that cannot be grouped by.
    """
    columns = (by,) if isinstance(by, str) else tuple(dict.fromkeys(by))
    for column in columns:
        if column not in known:
            raise InputError(f"by={column!r}: tasks group by {', '.join(known)}")
    return columns


def listed(columns: Iterable[str]) -> str:
    """The beginning of a list of columns, to be followed by others."""
    return "".join(f"{column}, " for column in columns)


def ask(
    history: History,
    statement: str,
    window: Window,
    parts: Mapping[str, str],
    values: Mapping[str, Any],
    *,
    by: Literal["any", "finished"] = "any",
    entries: Sequence[str] | bool = False,
) -> pa.Table:
    """Run a statement of ``frames.sql``, named there ``frame_…``.

    Parameters
    ----------
    parts
        Text for its placeholders, made of names of columns.
    values
        Its parameters beside ``start`` and ``end``.
    by
        Whether it is about tasks that touch the window, or only about those that finished in it.
    entries
        The entries that it is about, True for all of them: tasks whose sender told none are asked about
        as well, where the history knows the schedule.
    """
    found = None
    if entries and isinstance(history, Scheduled):
        found = history.concluded(window, by=by, only=None if entries is True else tuple(entries))
    if found is None or found.empty:
        return history.select(
            queries.query(f"frame_{statement}", matched="false", **parts), window, by=by, **values
        )
    text, more = concluding(queries.query(f"frame_{statement}", matched="entry_matched", **parts), found)
    return history.select(text, window, by=by, **values, **more)


def frame(table: pa.Table, dtypes: Mapping[str, str], zone: str) -> pd.DataFrame:
    """The table's columns of these dtypes, with times in a zone; right also where no row tells the type."""
    columns = {
        name: table[name].cast(pa.timestamp("us", tz=zone) if dtype == MOMENT else _ARROW[dtype])
        for name, dtype in dtypes.items()
    }
    for name in (name for name, dtype in dtypes.items() if dtype == REAL):
        # In which order threads added something up shows in digits that mean nothing.
        columns[name] = pc.round(columns[name], ndigits=DECIMALS)
    found = pa.table(columns).to_pandas()
    for name in (name for name, dtype in dtypes.items() if dtype == SOME):
        found[name] = columns[name].to_pandas(types_mapper=_EXTENDED.get)
    return found


def told(found: Shown, history: History, window: Window) -> Shown:
    """The same, with ``attrs`` that say where its numbers are from, how old and how complete."""
    found.attrs = window.provenance(history.coverage())
    return found
