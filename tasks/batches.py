"""Work on long tables in short steps, so that no lock is held long and memory stays flat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

ROWS = 2000  # rows of one step: some milliseconds on either database
Item = TypeVar("Item")


def delete(rows: QuerySet[Any], size: int = ROWS) -> int:
    """Delete `rows` in steps of `size`, each its own transaction; return how many.

    Nothing may point to the rows: the statement is one ``DELETE`` a step, without Django's search for
    dependent rows.
    """
    return sum(_steps(rows, size, lambda step: step._raw_delete(step.db)))


def update(rows: QuerySet[Any], size: int = ROWS, **values: Any) -> int:
    """Set `values` on `rows` in steps of `size`; return how many.

    The values must take a row out of `rows` (a state that the filter asks for is changed), or the steps
    would find the same rows for ever.
    """
    return sum(_steps(rows, size, lambda step: step.update(**values)))


def _steps(rows: QuerySet[Any], size: int, apply: Any) -> Iterator[int]:
    model: type[Model] = rows.model
    plain = model._base_manager.using(rows.db)
    while True:
        done = apply(plain.filter(pk__in=rows.order_by("pk").values("pk")[:size]))
        yield done
        if done < size:
            return


def walk(rows: QuerySet[Any], size: int = ROWS) -> Iterator[list[Any]]:
    """Lists of at most `size` rows in the order of their keys, one query each."""
    last: Any = None
    while True:
        after = rows if last is None else rows.filter(pk__gt=last)
        chunk = list(after.order_by("pk")[:size])
        if chunk:
            yield chunk
            last = chunk[-1].pk
        if len(chunk) < size:
            return


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of at most `size` items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
