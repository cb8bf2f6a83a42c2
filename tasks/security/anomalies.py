"""What people do that they never did in the days before: another country, an odd hour, too much."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Max, QuerySet
from django.db.models.functions import ExtractHour

from tasks.base.tenancy import within
from tasks.models import Anomaly, LoginAttempt, User

LEAST_HISTORY = 5  # logins of the past before an hour can be odd
HOURS_NEAR = 1  # an hour beside a usual one is not odd
LEAST_VOLUME = 20  # attempts; fewer are never too many
TIMES_USUAL = 5  # attempts of a usual day
MANY = "far more login attempts than usual"


@dataclass
class Habits:
    """What a user did in the days before."""

    countries: set[str]
    hours: set[int]
    logins: int = 0
    attempts: int = 0

    def odd(self, hour: int) -> bool:
        """Whether the user never logs in about that hour."""
        near = {(hour + step) % 24 for step in range(-HOURS_NEAR, HOURS_NEAR + 1)}
        return self.logins >= LEAST_HISTORY and not near & self.hours


def recent_users(since: datetime, until: datetime, tenant_id: int | None = None) -> QuerySet[User]:
    """Who tried to log in."""
    tried = LoginAttempt.objects.filter(at__gt=since, at__lte=until, user__isnull=False).values("user")
    users = User.objects.filter(pk__in=tried).only("pk")
    return within(users, tenant_id)


def record(users: Sequence[int], since: datetime, until: datetime, past: timedelta) -> dict[str, int]:
    """Hold what these users did since then against the time `past` before it; record what is new."""
    habits = _habits(users, since - past, since)
    found: dict[tuple[int, str, date, str], None] = {}
    attempts: dict[int, int] = defaultdict(int)
    latest: dict[int, datetime] = {}
    columns = "user", "country", "succeeded", "hour"
    for user, country, succeeded, hour, count, last in _attempts(
        users, since, until, columns, last=Max("at")
    ):
        attempts[user] += count
        latest[user] = max(latest.get(user, last), last)
        usual = habits[user]
        if succeeded and country and usual.countries and country not in usual.countries:
            found[user, Anomaly.Kind.COUNTRY, last.date(), country] = None
        if succeeded and usual.odd(hour):
            found[user, Anomaly.Kind.HOUR, last.date(), f"{hour:02d}:00 UTC"] = None
    days = max(past / timedelta(days=1), 1.0)
    scale = (until - since) / timedelta(days=1)
    for user, count in attempts.items():
        if count >= LEAST_VOLUME and count > TIMES_USUAL * habits[user].attempts / days * scale:
            found[user, Anomaly.Kind.VOLUME, latest[user].date(), MANY] = None
    known = Anomaly.objects.filter(user__in=users, day__gte=since.date())
    for row in known.values_list("user", "kind", "day", "detail"):
        found.pop(row, None)
    rows = [
        Anomaly(user_id=user, kind=kind, day=day, detail=detail, found_at=until)
        for user, kind, day, detail in found
    ]
    Anomaly.objects.bulk_create(rows, ignore_conflicts=True)
    return {kind: sum(row.kind == kind for row in rows) for kind in Anomaly.Kind.values}


def _habits(users: Sequence[int], since: datetime, until: datetime) -> defaultdict[int, Habits]:
    table: defaultdict[int, Habits] = defaultdict(lambda: Habits(set(), set()))
    for user, country, succeeded, hour, count in _attempts(
        users, since, until, ("user", "country", "succeeded", "hour")
    ):
        habits = table[user]
        habits.attempts += count
        if succeeded:
            habits.logins += count
            habits.hours.add(hour)
            habits.countries |= {country} - {""}
    return table


def _attempts(
    users: Sequence[int], since: datetime, until: datetime, columns: tuple[str, ...], **more: Any
) -> QuerySet[LoginAttempt, Any]:
    rows = LoginAttempt.objects.filter(user__in=users, at__gt=since, at__lte=until)
    grouped = rows.annotate(hour=ExtractHour("at")).order_by().values_list(*columns)
    return grouped.annotate(count=Count("pk"), **more)
