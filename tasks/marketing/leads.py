"""How likely a lead is to become a customer: 0 to 100, from what it did and what its company is."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import (
    Case,
    Count,
    FloatField,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, Least

from tasks.base import batches
from tasks.models import Lead, Visit

# kind of visit, points each, most points
POINTS = ((Visit.Kind.PAGE, 2, 30), (Visit.Kind.OPEN, 4, 20), (Visit.Kind.DOWNLOAD, 10, 20))
# employees from, points: who fits what the platform sells
FIT = ((2000, 15), (200, 30), (50, 25), (10, 10))
NAMED = 5  # points for a company whose size is not known


def prospects() -> QuerySet[Lead]:
    """Leads that have not become customers."""
    return Lead.objects.filter(subscribed_at=None)


def score(now: datetime, window: timedelta) -> int:
    """Score each prospect by what it did since `window` ago; returns how many."""
    value = _fit()
    for kind, points, most in POINTS:
        value = value + Least(_visits(kind, now - window, now) * points, Value(most))
    waiting = prospects().filter(Q(scored_at=None) | Q(scored_at__lt=now))
    return batches.update(waiting, score=Cast(value, FloatField()), scored_at=now)


def _visits(kind: str, since: datetime, until: datetime) -> Coalesce:
    made = Visit.objects.filter(lead=OuterRef("pk"), kind=kind, at__gt=since, at__lte=until)
    counted = made.order_by().values("lead").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted, output_field=IntegerField()), Value(0))


def _fit() -> Case:
    sized = [When(company_size__gte=least, then=Value(points)) for least, points in FIT]
    unknown = When(Q(company_size=None) & ~Q(company=""), then=Value(NAMED))
    return Case(*sized, unknown, default=Value(0), output_field=IntegerField())
