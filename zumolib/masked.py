"""Recorded events without what must not be seen; :mod:`zumolib.masking` says what that is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from zumolib import masking

COLUMNS = ("args", "kwargs", "result", "exception", "traceback", "extra")


def table(events: pa.Table, keys: Sequence[str]) -> pa.Table:
    """These events (of :data:`zumolib.events.SCHEMA`) with values under masked keys hidden.

    Few texts name such a key, so Arrow picks out those that may and only they are read.
    """
    wanted = tuple(keys)
    if not wanted:
        return events
    for name in COLUMNS:
        at = events.schema.get_field_index(name)
        column = events.column(at).combine_chunks()
        if column.null_count == len(column):
            continue
        suspect = pc.fill_null(pc.match_substring_regex(column, _any_of(wanted), ignore_case=True), False)
        if not pc.any(suspect).as_py():
            continue
        hidden = [masking.mask_text(text, wanted) for text in column.filter(suspect).to_pylist()]
        events = events.set_column(
            at, events.field(at), pc.replace_with_mask(column, suspect, pa.array(hidden, column.type))
        )
    return events


def raw(found: object, keys: Sequence[str]) -> Any:
    """What was no event, as text or plain data, with values under masked keys hidden."""
    return masking.mask_value(found.decode("utf-8", "replace") if isinstance(found, bytes) else found, keys)


@lru_cache(maxsize=8)
def _any_of(keys: tuple[str, ...]) -> str:
    """Matches every text in which a key may stand: its letters with any joints between them."""
    letters = (filter(str.isalnum, "".join(masking.words(key))) for key in keys)
    return "|".join("[^A-Za-z0-9]*".join(its) for its in letters) or "$^"
