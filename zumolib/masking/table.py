"""Recorded events, and the tasks that are folded from them, without what must not be seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from zumolib.masking.keys import LIMIT, letters
from zumolib.masking.shapes import TRACES
from zumolib.masking.text import mask_arguments, mask_text
from zumolib.masking.values import Hidden, mask_value

COLUMNS = ("args", "kwargs", "result", "exception", "traceback", "extra")

Change = Callable[[pa.Array], pa.Array]


def mask_table(
    rows: pa.Table, keys: Sequence[str], arguments: Mapping[str, Hidden] | None = None
) -> pa.Table:
    """Rows with what is secret hidden in those of :data:`COLUMNS` that they have, within structures as well.

    Few texts name a masked key or have the form of a secret, so Arrow picks out those that may and only they
    are read.

    Parameters
    ----------
    rows
        Of :data:`zumolib.history.events.SCHEMA`, or of a file of the history.
    keys
        As :data:`zumolib.masking.KEYS`; without any, nothing is hidden.
    arguments
        Which positional arguments are hidden, by the name of the task.

    Returns
    -------
    pyarrow.Table
        The same schema, rows and order; the same object where there is nothing to hide.
    """
    wanted = tuple(keys)
    if not wanted:
        return rows
    if arguments and {"name", "args"} <= set(rows.schema.names):
        rows = _mask_arguments(rows, wanted, arguments)
    for at, field in enumerate(rows.schema):
        column = rows.column(at)
        if column.null_count == len(column):
            continue
        before = column.combine_chunks()
        after = _changed(before, field.name in COLUMNS, partial(_mask_texts, keys=wanted))
        if after is not before:
            rows = rows.set_column(at, field, after)
    return rows


def mask_raw(found: object, keys: Sequence[str]) -> Any:
    """What was no event, as text or plain data, with what is secret hidden."""
    return mask_value(found.decode("utf-8", "replace") if isinstance(found, bytes) else found, keys)


def _changed(values: pa.Array, wanted: bool, change: Change) -> pa.Array:
    """These values, with `change` made to the texts in them; the same object where nothing changed."""
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return change(values) if wanted else values
    if not pa.types.is_struct(values.type):
        return values
    fields = list(values.type)
    before = values.flatten()
    after = [
        _changed(inner, wanted or field.name in COLUMNS, change)
        for inner, field in zip(before, fields, strict=True)
    ]
    if all(new is old for new, old in zip(after, before, strict=True)):
        return values
    return pa.StructArray.from_arrays(after, fields=fields, mask=pc.is_null(values))


def _mask_texts(texts: pa.Array, keys: tuple[str, ...]) -> pa.Array:
    suspect = pc.fill_null(pc.match_substring_regex(texts, _any_of(keys)), False)
    if not pc.any(suspect).as_py():
        return texts
    before = texts.filter(suspect).to_pylist()
    hidden = [mask_text(text, keys) for text in before]
    return texts if hidden == before else _replaced(texts, suspect, hidden)


def _mask_arguments(rows: pa.Table, keys: tuple[str, ...], arguments: Mapping[str, Hidden]) -> pa.Table:
    named = pc.is_in(rows["name"], value_set=pa.array(sorted(arguments), pa.string()))
    chosen = pc.and_(named, pc.is_valid(rows["args"])).combine_chunks()
    if not pc.any(chosen).as_py():
        return rows
    names = rows["name"].filter(chosen).to_pylist()

    def change(texts: pa.Array) -> pa.Array:
        before = texts.filter(chosen).to_pylist()
        pairs = zip(before, names, strict=True)
        hidden = [
            None if text is None else mask_arguments(text, arguments[name], keys) for text, name in pairs
        ]
        return texts if hidden == before else _replaced(texts, chosen, hidden)

    at = rows.schema.get_field_index("args")
    before = rows.column(at).combine_chunks()
    after = _changed(before, True, change)
    return rows if after is before else rows.set_column(at, rows.field(at), after)


def _replaced(texts: pa.Array, where: pa.Array, new: Sequence[str | None]) -> pa.Array:
    return pc.replace_with_mask(texts, where, pa.array(new, texts.type))


@lru_cache(maxsize=8)
def _any_of(keys: tuple[str, ...]) -> str:
    """Matches every text in which a masked name or the form of a secret may be, and few others."""
    names = [_traces(key) for key in keys if letters(key)]
    return "|".join([*names, f"(?i:{'|'.join(map(re.escape, TRACES))})", f"[^,:=]{{{LIMIT}}}"])


def _traces(key: str) -> str:
    """Matches a key's letters, any joints between them, where a word begins and ends."""
    first, others = letters(key)[0], letters(key)[1:]
    rest = "".join(f"[^A-Za-z0-9]*(?i:{letter})" for letter in others)
    ends = "" if key.endswith("*") else "[sS]?(?:[^a-z]|$)"
    if key.startswith("*"):
        return f"(?i:{first}){rest}{ends}"
    # A word begins behind what is no letter, or with a capital.
    return f"(?:(?:^|[^A-Za-z]|\\\\[nrt])(?i:{first})|{first.upper()}){rest}{ends}"
