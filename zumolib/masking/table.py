"""Recorded events, and the tasks that are folded from them, without what must not be seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from zumolib.masking.suspects import suspects
from zumolib.masking.text import mask_arguments, mask_text
from zumolib.masking.values import Hidden

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
    columns = {
        at: rows.column(at).combine_chunks()
        for at in range(rows.num_columns)
        if rows.column(at).null_count < rows.num_rows
    }
    texts: list[pa.Array] = []

    def keep(values: pa.Array) -> pa.Array:
        texts.append(values)
        return values

    for at, values in columns.items():
        _changed(values, rows.field(at).name in COLUMNS, keep)
    found = iter(suspects(texts, wanted))

    def hide(values: pa.Array) -> pa.Array:
        return _mask_texts(values, next(found), wanted)

    for at, values in columns.items():
        after = _changed(values, rows.field(at).name in COLUMNS, hide)
        if after is not values:
            rows = rows.set_column(at, rows.field(at), after)
    return rows


def mask_texts(texts: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Texts with what is secret hidden: :func:`~zumolib.masking.text.mask_text`, sooner where they are many."""
    wanted = tuple(keys)
    if not wanted:
        return list(texts)
    plain = pa.array([text.encode("utf-8", "replace") for text in texts], pa.large_string())
    [found] = suspects([plain], wanted)
    return [
        mask_text(text, wanted) if suspect else text
        for text, suspect in zip(texts, found.to_pylist(), strict=True)
    ]


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


def _mask_texts(texts: pa.Array, suspect: pa.Array, keys: tuple[str, ...]) -> pa.Array:
    """These texts; the same object where nothing is hidden in those that are suspect."""
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
