"""What is thought of an address: it worsens with failed logins and fades with time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, F, OuterRef, Q, Subquery

from tasks.base import batches
from tasks.models import AddressReputation, LoginAttempt

WORST = 100.0
FAILURE, SUCCESS = 4.0, -1.0  # what one login adds to its address's score
HALF_LIFE = timedelta(days=7)  # of a score
FORGOTTEN = 1.0  # a score below it is as good as none
RECENT = timedelta(days=1)  # how far back behaviour counts


def update(now: datetime) -> dict[str, int]:
    """Let each score decay, add what its address did since the last time, forget what has faded.

    The score halves in :data:`HALF_LIFE`; each attempt counts once, by the moment of the last update.
    """
    counts = {"looked_at": 0, "updated": 0, "added": 0, "forgotten": 0, "blocks_expired": 0}
    done = _behaviour(now)
    for rows in batches.walk(AddressReputation.objects.filter(updated_at__lt=now)):
        counts["looked_at"] += len(rows)
        with transaction.atomic():
            keys = [row.pk for row in rows]
            locked = list(
                AddressReputation.objects.select_for_update().filter(pk__in=keys, updated_at__lt=now)
            )
            for row in locked:
                faded = row.score * 0.5 ** ((now - row.updated_at) / HALF_LIFE)
                row.score = min(max(faded + done.pop(row.address, 0.0), 0.0), WORST)
                row.updated_at = now
            _save(locked)
            counts["updated"] += len(locked)
    fresh = [
        AddressReputation(address=address, score=min(score, WORST), updated_at=now)
        for address, score in done.items()
        if score >= FORGOTTEN
    ]
    AddressReputation.objects.bulk_create(fresh, ignore_conflicts=True)
    counts["added"] = len(fresh)
    expired = AddressReputation.objects.filter(blocked_until__lte=now)
    counts["blocks_expired"] = batches.update(expired, blocked_until=None)
    faded_ones = AddressReputation.objects.filter(score__lt=FORGOTTEN, blocked_until=None, updated_at=now)
    counts["forgotten"] = batches.delete(faded_ones)
    return counts


def _behaviour(now: datetime) -> dict[str, float]:
    """What each address earned by its attempts that were not counted yet."""
    known = AddressReputation.objects.filter(address=OuterRef("address")).values("updated_at")
    recent = LoginAttempt.objects.filter(at__gt=now - RECENT, at__lte=now).annotate(since=Subquery(known))
    counted = recent.filter(Q(since=None) | Q(at__gt=F("since"))).order_by().values_list("address")
    failed, all_ = Count("pk", filter=Q(succeeded=False)), Count("pk")
    return {
        address: failures * FAILURE + (attempts - failures) * SUCCESS
        for address, failures, attempts in counted.annotate(failures=failed, attempts=all_)
    }


def _save(rows: Sequence[AddressReputation]) -> None:
    AddressReputation.objects.bulk_create(
        [AddressReputation(address=row.address, score=row.score, updated_at=row.updated_at) for row in rows],
        update_conflicts=True,
        unique_fields=["address"],
        update_fields=["score", "updated_at"],
    )
