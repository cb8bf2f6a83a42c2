"""Work on long tables in short steps, so that no lock is held long and memory stays flat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import CASCADE, SET_NULL, Model, QuerySet

ROWS = 2000  # rows of one step: some milliseconds on either database
Item = TypeVar("Item")


def delete(rows: QuerySet[Any], size: int = ROWS) -> int:
    """Delete `rows` in steps of `size`, each its own transaction; return how many.

    What points to a row goes with it, or lets go of it, as the model says; one level deep, in one
    statement a table. (Django's own way does so in portions of a hundred rows.)
    """
    pointing = [r for r in rows.model._meta.related_objects if r.on_delete in (CASCADE, SET_NULL)]

    def apply(step: QuerySet[Any]) -> int:
        if not pointing:
            return int(step._raw_delete(step.db))
        with transaction.atomic(using=step.db):
            keys = list(step.values_list("pk", flat=True))
            if not keys:
                return 0
            for relation in pointing:
                found = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": keys})
                if relation.on_delete is CASCADE:
                    found._raw_delete(step.db)
                else:
                    found.update(**{relation.field.name: None})
            return int(rows.model._base_manager.filter(pk__in=keys)._raw_delete(step.db))

    return sum(_steps(rows, size, apply))


def update(rows: QuerySet[Any], size: int = ROWS, **values: Any) -> int:
    """Set `values` on `rows` in steps of `size`; return how many."""
    return sum(_steps(rows, size, lambda step: step.update(**values)))


def _steps(rows: QuerySet[Any], size: int, apply: Any) -> Iterator[int]:
    """Apply something to `rows` in steps in the order of their keys.

    A step begins behind the last one: looking for the first rows each time would go over all that stay, as
    often as there are steps. The condition is asked again for the keys of a step, since another run may
    have been faster.
    """
    model: type[Model] = rows.model
    plain = model._base_manager.using(rows.db)
    for keys in keys_of(rows, size):
        yield apply(plain.filter(pk__in=rows.filter(pk__in=keys).order_by().values("pk")))


def keys_of(rows: QuerySet[Any], size: int = ROWS) -> Iterator[list[Any]]:
    """Lists of at most `size` keys in their order, one query each."""
    ordered, last = rows.order_by("pk").values_list("pk", flat=True), None
    while True:
        keys = list((ordered if last is None else ordered.filter(pk__gt=last))[:size])
        if keys:
            yield keys
            last = keys[-1]
        if len(keys) < size:
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
