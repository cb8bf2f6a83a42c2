"""What lies in people's notifications, for many people in one query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, F, QuerySet, Window
from django.db.models.functions import RowNumber

from tasks.models import Notification

LISTED = 10  # of one person, the newest
UNREAD = timedelta(days=30)  # what stayed unread for longer is not brought up again


@dataclass
class Inbox:
    """Notifications of one person."""

    what: str  # unread, or of the week
    count: int = 0
    newest: list[tuple[datetime, str]] = field(default_factory=list)  # delivered at, title


def unread(users: Iterable[int], now: datetime) -> dict[int, Inbox]:
    """By user, what was delivered and neither read nor dismissed."""
    delivered = _delivered(users, now - UNREAD, now)
    return _newest(delivered.filter(read_at__isnull=True, dismissed_at__isnull=True), "you have not read")


def received(users: Iterable[int], since: datetime, now: datetime) -> dict[int, Inbox]:
    """By user, what was delivered from `since` on."""
    return _newest(_delivered(users, since, now), "this week")


def _delivered(users: Iterable[int], since: datetime, now: datetime) -> QuerySet[Notification]:
    return Notification.objects.filter(
        user__in=list(users),
        state=Notification.State.DELIVERED,
        delivered_at__gte=since,
        delivered_at__lt=now,
    )


def _newest(rows: QuerySet[Notification], what: str) -> dict[int, Inbox]:
    """The count of each user's rows and the newest of them; users without any are left out."""
    mine = {"partition_by": F("user_id")}
    newest = rows.annotate(
        place=Window(RowNumber(), order_by=(F("delivered_at").desc(), F("pk").desc()), **mine),
        count=Window(Count("pk"), **mine),
    ).filter(place__lte=LISTED)
    found: dict[int, Inbox] = {}
    columns = newest.order_by("user_id", "place").values_list("user_id", "count", "delivered_at", "title")
    for user, count, at, title in columns:
        inbox = found.setdefault(user, Inbox(what, count))
        inbox.newest.append((at, title))
    return found
