"""How applications pass the stages of each job, counted by the database in one statement."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import (
    Avg,
    Case,
    Count,
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    FloatField,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from tasks.ats.upserts import upsert
from tasks.base import batches
from tasks.base.stages import OPEN, WAY
from tasks.models import PipelineStatistic, StageStay

COLUMNS = ("job", "stage", "applications", "mean_days", "conversion", "computed_at")


class Days(Func):
    """A length of time as a number of days."""

    output_field = FloatField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Django keeps lengths in microseconds there."""
        return self.as_sql(compiler, connection, template="((%(expressions)s) / 86400000000.0)", **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """An interval there."""
        template = "(EXTRACT(EPOCH FROM %(expressions)s)::float8 / 86400)"
        return self.as_sql(compiler, connection, template=template, **context)


def measure(jobs: list[int], at: datetime) -> tuple[int, int]:
    """Store the figures of these jobs as of `at`; returns how many were written and how many dropped.

    A present stay counts up to `at`. An application went on from a stage when it came into any later
    one, also where it skipped the next. The ends (hired, rejected, withdrawn) have no time and nothing
    that follows.
    """
    with transaction.atomic():
        written = upsert(PipelineStatistic, _figures(jobs, at), COLUMNS, key=("job", "stage"))
        # Stages that no application of the job has been in, as far as anybody still knows.
        dropped = batches.delete(PipelineStatistic.objects.filter(job__in=jobs, computed_at__lt=at))
    return written, dropped


def _figures(jobs: list[int], at: datetime) -> QuerySet[Any]:
    length = ExpressionWrapper(
        Coalesce(F("left_at"), Value(at, DateTimeField())) - F("entered_at"), DurationField()
    )
    onward = [When(Q(stage=stage) & _reached(WAY[place + 1 :]), then=1.0) for place, stage in enumerate(OPEN)]
    open_stage = Q(stage__in=OPEN)
    return (
        StageStay.objects.filter(application__job__in=jobs, entered_at__lte=at)
        .annotate(days=Days(length), onward=Case(*onward, default=0.0, output_field=FloatField()))
        .order_by()
        .values_list("application__job", "stage")
        .annotate(
            count=Count("pk"),
            mean=Avg("days", filter=open_stage),
            went_on=Avg("onward", filter=open_stage),
            at=Value(at, DateTimeField()),
        )
    )


def _reached(stages: tuple[str, ...]) -> Exists:
    return Exists(StageStay.objects.filter(application=OuterRef("application"), stage__in=stages))
