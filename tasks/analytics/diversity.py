"""Shares of groups among a tenant's employees, without a word about any single person.

A group below the least size is suppressed. Where that hides exactly one group, its share would be what the
others leave of the whole, so the next smallest group is suppressed too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, CharField, Count, F, Value, When
from django.db.models.functions import Trim

from tasks.models import DiversityFigure, Employee

LEAST = 5  # people of a group that is shown
NOT_SAID = "not said"
AGES = ((30, "under 30"), (40, "30 to 39"), (50, "40 to 49"), (60, "50 to 59"))  # below the age: the group
OLDEST = "60 and over"

Sizes = dict[str, int]


def shares(sizes: Sizes, least: int = LEAST) -> dict[str, float | None]:
    """The share of each group, 0 to 1; None where it is suppressed."""
    ordered = sorted(sizes.items(), key=lambda item: (item[1], item[0]))
    hidden = sum(size < least for _, size in ordered)
    if hidden == 1:
        hidden = 2
    whole = sum(sizes.values())
    return {
        name: round(size / whole, 4) if rank >= hidden else None for rank, (name, size) in enumerate(ordered)
    }


def record(tenants: Sequence[int], now: datetime, least: int = LEAST) -> dict[str, int]:
    """Store today's shares of these tenants, in place of what was stored for today before."""
    today = now.date()
    rows = [
        DiversityFigure(tenant_id=tenant, day=today, dimension=dimension, group=group, share=share)
        for dimension, column in _dimensions(today).items()
        for tenant, sizes in _sizes(tenants, column).items()
        for group, share in shares(sizes, least).items()
    ]
    kept = {(row.tenant_id, row.dimension, row.group) for row in rows}
    there = DiversityFigure.objects.filter(day=today, tenant__in=tenants)
    with transaction.atomic():
        known = there.values_list("pk", "tenant", "dimension", "group")
        # A group that is gone must not stand beside the new shares: it would give the suppressed away.
        gone = [pk for pk, *key in known if tuple(key) not in kept]
        DiversityFigure.objects.filter(pk__in=gone).delete()
        DiversityFigure.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["tenant", "day", "dimension", "group"],
            update_fields=["share"],
        )
    hidden = sum(row.share is None for row in rows)
    return {"stored": len(rows) - hidden, "suppressed": hidden, "removed": len(gone)}


def _dimensions(today: date) -> dict[str, Any]:
    born = [When(born_on=None, then=Value(NOT_SAID))]
    born += [When(born_on__gt=_years_before(today, age), then=Value(group)) for age, group in AGES]
    age = Case(*born, default=Value(OLDEST), output_field=CharField())
    return {"gender": Trim(F("gender")), "origin": Trim(F("origin")), "age": age}


def _years_before(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return day.replace(year=day.year - years, day=28)


def _sizes(tenants: Sequence[int], column: Any) -> dict[int, Sizes]:
    table: dict[int, Sizes] = defaultdict(dict)
    people = Employee.objects.filter(tenant__in=tenants).exclude(state=Employee.State.LEFT)
    found = people.annotate(group_=column).order_by().values_list("tenant", "group_")
    for tenant, group, size in found.annotate(size=Count("pk")):
        name = group or NOT_SAID
        table[tenant][name] = table[tenant].get(name, 0) + size
    return table
