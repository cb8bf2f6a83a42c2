"""Bursts of failed logins, and shutting out where they come from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count

from tasks.models import AddressReputation, AuditEntry, Block, LoginAttempt, User

BLOCKED_SCORE = 90.0  # at least, of an address that was blocked


def find(column: str, least: int, since: datetime, until: datetime) -> dict[Any, int]:
    """Addresses or accounts with at least so many failed logins, and how many."""
    failed = LoginAttempt.objects.filter(succeeded=False, at__gt=since, at__lte=until)
    found = failed.exclude(**{column: None}).order_by().values_list(column)
    return dict(found.annotate(failures=Count("pk")).filter(failures__gte=least))


def block(addresses: dict[str, int], users: dict[int, int], now: datetime, until: datetime) -> dict[str, int]:
    """Shut out what is not shut out yet, and record it; all of it or nothing."""
    running = Block.objects.filter(ends_at__gt=now)
    with transaction.atomic():
        held = set(running.filter(address__in=addresses).values_list("address", flat=True))
        locked = set(running.filter(user__in=users).values_list("user", flat=True))
        fresh = {address: count for address, count in addresses.items() if address not in held}
        accounts = {user: count for user, count in users.items() if user not in locked}
        blocks = [
            Block(address=address, reason="failed logins from the address", failures=count)
            for address, count in fresh.items()
        ]
        blocks += [
            Block(user_id=user, reason="failed logins of the account", failures=count)
            for user, count in accounts.items()
        ]
        for row in blocks:
            row.created_at, row.ends_at = now, until
        Block.objects.bulk_create(blocks)
        _blacken(fresh, now, until)
        tenants = dict(User.objects.filter(pk__in=accounts).values_list("pk", "tenant"))
        AuditEntry.objects.bulk_create(
            [
                AuditEntry(
                    tenant_id=tenants.get(row.user_id),
                    user_id=row.user_id,
                    action="security.block",
                    subject=f"account {row.user_id}" if row.user_id else f"address {row.address}",
                    address=row.address,
                    details={"reason": row.reason, "failures": row.failures, "until": until},
                    at=now,
                )
                for row in blocks
            ]
        )
    return {"addresses_blocked": len(fresh), "accounts_blocked": len(accounts)}


def _blacken(addresses: Iterable[str], now: datetime, until: datetime) -> None:
    known = AddressReputation.objects.filter(address__in=list(addresses))
    scores = dict(known.select_for_update().values_list("address", "score"))
    AddressReputation.objects.bulk_create(
        [
            AddressReputation(
                address=address,
                score=max(scores.get(address, 0.0), BLOCKED_SCORE),
                updated_at=now,
                blocked_until=until,
            )
            for address in addresses
        ],
        update_conflicts=True,
        unique_fields=["address"],
        update_fields=["score", "updated_at", "blocked_until"],
    )
