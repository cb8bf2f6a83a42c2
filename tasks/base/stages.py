"""The way of an application through its stages, and how long it stays in each."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import Greatest

from tasks.models import Application, StageStay

Stage = Application.Stage
WAY = (Stage.NEW, Stage.SCREENING, Stage.INTERVIEW, Stage.OFFER, Stage.HIRED)
OPEN = WAY[:-1]  # somebody has still to decide
MOVED_AT_ONCE = 500


def move(rows: QuerySet[Application], to: str, at: datetime, rejection: str = "") -> int:
    """Move applications on to another stage, in steps that are a transaction each; return how many.

    `rows` must not find an application that is there already.
    """
    moved = last = 0
    while True:
        with transaction.atomic():
            step = rows.select_for_update(of=("self",)).filter(pk__gt=last).order_by("pk")
            keys = list(step.values_list("pk", flat=True)[:MOVED_AT_ONCE])
            Application.objects.filter(pk__in=keys).update(stage=to, touched_at=at, rejection=rejection)
            present = StageStay.objects.filter(application__in=keys, left_at__isnull=True)
            present.exclude(stage=to).update(left_at=Greatest("entered_at", Value(at)))
            enter(keys, to, at)
        moved += len(keys)
        if len(keys) < MOVED_AT_ONCE:
            return moved
        last = keys[-1]


def enter(applications: list[int], stage: str, at: datetime) -> None:
    """Open the stay in a stage; one that was left before goes on."""
    stays = [StageStay(application_id=pk, stage=stage, entered_at=at) for pk in applications]
    StageStay.objects.bulk_create(stays, ignore_conflicts=True)
    again = StageStay.objects.filter(application__in=applications, stage=stage, left_at__isnull=False)
    again.update(left_at=None)
