"""Constraints that many tables share."""

from __future__ import annotations

from django.db.models import CheckConstraint, F, Q
from django.db.models.enums import TextChoices


def one_of(table: str, field: str, choices: type[TextChoices]) -> CheckConstraint:
    """`field` holds one of the choices."""
    return CheckConstraint(condition=Q(**{f"{field}__in": choices.values}), name=f"{table}_{field}_known")


def at_least(table: str, field: str, least: int = 0) -> CheckConstraint:
    """`field` is never below `least`."""
    return CheckConstraint(condition=Q(**{f"{field}__gte": least}), name=f"{table}_{field}_at_least_{least}")


def in_order(table: str, first: str, then: str) -> CheckConstraint:
    """`first` never comes after `then`; either may be unknown."""
    ordered = (
        Q(**{f"{then}__gte": F(first)}) | Q(**{f"{first}__isnull": True}) | Q(**{f"{then}__isnull": True})
    )
    return CheckConstraint(condition=ordered, name=f"{table}_{then}_after_{first}")
