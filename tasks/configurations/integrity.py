"""Checks of the data that no single row's constraint can make, or that a restored dump may break."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Count, Exists, F, Model, OuterRef, Q, QuerySet, Window

from tasks.models import (
    Candidate,
    Category,
    Company,
    Employee,
    Invoice,
    Job,
    Message,
    Notification,
    Payment,
    Skill,
    Tenant,
    User,
)

SAMPLE = 10  # keys that are stored with a count
ORPHANS, BAD_REFERENCES, MISSING_FIELDS = "orphans", "bad_references", "missing_fields"

# Texts that a row is of no use without.
NEEDED: tuple[tuple[type[Model], str], ...] = (
    (Tenant, "name"),
    (Tenant, "email"),
    (User, "name"),
    (User, "email"),
    (Job, "title"),
    (Candidate, "name"),
    (Candidate, "email"),
    (Employee, "name"),
    (Employee, "email"),
    (Category, "slug"),
    (Skill, "slug"),
    (Notification, "title"),
    (Company, "industry"),
)
# What a row in some state must have, and has not.
INCOMPLETE: tuple[tuple[str, type[Model], Q], ...] = (
    ("trials without an end", Tenant, Q(state="trial", trial_ends_at=None)),
    ("delivered notifications without a time", Notification, Q(state="delivered", delivered_at=None)),
    ("delivered messages without a time", Message, Q(state="delivered", delivered_at=None)),
    ("settled payments without a time", Payment, Q(state="succeeded", settled_at=None)),
    ("paid invoices without a time", Invoice, Q(state="paid", paid_at=None)),
    ("open jobs without a recruiter", Job, Q(state="open", recruiter=None)),
    ("active skills without a category", Skill, Q(is_active=True, category=None)),
)


@dataclass(frozen=True)
class Check:
    """Rows that should not be there."""

    name: str
    sort: str  # the summary's counter
    rows: QuerySet[Any]

    def run(self) -> tuple[int, list[Any]]:
        """How many there are, and the keys of the first: one query, whatever there is."""
        counted = self.rows.order_by("pk").annotate(rows_in_all=Window(Count("pk")))
        found = list(counted.values_list("pk", "rows_in_all")[:SAMPLE])
        return (found[0][1] if found else 0), [pk for pk, _ in found]


def checks() -> Iterator[Check]:
    """All checks; those of references follow from the models."""
    for model in apps.get_app_config("tasks").get_models():
        rows, label = model._base_manager.all(), model._meta.model_name
        for column in _references(model):
            target = column.related_model
            there = Exists(target._base_manager.filter(pk=OuterRef(column.attname)))
            lost = rows.filter(**{f"{column.attname}__isnull": False}).exclude(there)
            yield Check(f"orphans: {label}.{column.name}", ORPHANS, lost)
            if _has_tenant(model) and _has_tenant(target):
                other = f"{column.name}__tenant"
                crossing = rows.filter(tenant__isnull=False, **{f"{other}__isnull": False})
                crossing = crossing.exclude(tenant=F(other))
                yield Check(f"other tenant: {label}.{column.name}", BAD_REFERENCES, crossing)
    for model, field in NEEDED:
        empty = model._base_manager.filter(**{field: ""})
        yield Check(f"empty: {model._meta.model_name}.{field}", MISSING_FIELDS, empty)
    for name, model, condition in INCOMPLETE:
        yield Check(name, MISSING_FIELDS, model._base_manager.filter(condition))


def _references(model: type[Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if field.many_to_one or field.one_to_one]


def _has_tenant(model: type[Model]) -> bool:
    return any(
        field.name == "tenant" and field.related_model is Tenant for field in model._meta.concrete_fields
    )
