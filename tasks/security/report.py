"""What happened at the door on one day: logins, blocks, anomalies, and who stands out."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Count, Q, QuerySet

from tasks.base.metrics import DAY, midnight
from tasks.models import Anomaly, Block, LoginAttempt

LISTED = 10  # rows of each list


def of_day(day: date) -> dict[str, Any]:
    """The day's figures as plain JSON: ``totals`` (numbers) and the lists of the most frequent."""
    within = {"at__gte": midnight(day), "at__lt": midnight(day + DAY)}
    logins = LoginAttempt.objects.filter(**within)
    blocks = Block.objects.filter(created_at__gte=within["at__gte"], created_at__lt=within["at__lt"])
    odd = Anomaly.objects.filter(day=day)
    totals = logins.aggregate(
        logins=Count("pk", filter=Q(succeeded=True)),
        failures=Count("pk", filter=Q(succeeded=False)),
        people=Count("user_id", filter=Q(succeeded=True), distinct=True),
        addresses=Count("address", distinct=True),
    )
    totals |= blocks.aggregate(
        addresses_blocked=Count("address"), accounts_blocked=Count("user_id")
    ) | odd.aggregate(
        **{f"anomalies_{kind}": Count("pk", filter=Q(kind=kind)) for kind in Anomaly.Kind.values}
    )
    failed = logins.filter(succeeded=False)
    return {
        "totals": totals,
        "failures_by_address": _most(failed, "address"),
        "failures_by_account": _most(failed, "email"),
        "logins_by_country": _most(logins.filter(succeeded=True).exclude(country=""), "country"),
        "blocks": [
            {"address": address, "user": user, "failures": failures, "reason": reason}
            for address, user, failures, reason in blocks.order_by("-failures", "pk").values_list(
                "address", "user", "failures", "reason"
            )[:LISTED]
        ],
        "anomalies_by_user": _most(odd, "user"),
    }


def _most(rows: QuerySet[Any], column: str) -> list[dict[str, Any]]:
    counted = rows.order_by().values_list(column).annotate(count=Count("pk")).order_by("-count", column)
    return [{"what": what, "count": count} for what, count in counted[:LISTED]]
