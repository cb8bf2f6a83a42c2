"""What waits for each person, as one letter a person and day instead of one for each thing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.db.models import Case, CharField, Expression, F, When
from django.db.models.functions import Coalesce

from tasks.mail import Letter
from tasks.models import Tenant, User

TENANTS = 100  # whose lists are in memory at a time
SHOWN = 20  # things that a letter names; it counts the others
WIDTH = 300  # characters of one line


@dataclass
class Worklists:
    """The lists of some tenants' people."""

    _lines: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    _counts: dict[tuple[int, str], int] = field(default_factory=dict)

    def add(self, tenant_id: int, recipient: str, line: str) -> None:
        """Put a thing on the list of `recipient`."""
        key = (tenant_id, recipient)
        self._counts[key] = self._counts.get(key, 0) + 1
        lines = self._lines.setdefault(key, [])
        if len(lines) < SHOWN:
            lines.append(line[:WIDTH])

    def letters(self, kind: str, day: date, subject: str, opening: str) -> Iterator[Letter]:
        """A letter for each list; `subject` may hold ``{count}``."""
        for (tenant_id, recipient), lines in self._lines.items():
            count = self._counts[tenant_id, recipient]
            more = (f"… and {count - len(lines)} more.",) if count > len(lines) else ()
            yield Letter(
                kind,
                f"tenant {tenant_id}, {day}",
                recipient,
                subject.format(count=count),
                lines=(opening, *lines, *more),
                tenant_id=tenant_id,
            )


def hr_of(tenants: Sequence[int]) -> dict[int, list[str]]:
    """Addresses of each tenant's HR people; the account's own where it has none."""
    found: dict[int, list[str]] = {pk: [] for pk in tenants}
    hr = User.objects.filter(tenant__in=tenants, role=User.Role.HR, is_active=True).order_by("pk")
    for tenant_id, email in hr.values_list("tenant", "email"):
        found[tenant_id].append(email)
    for tenant_id, email in Tenant.objects.filter(pk__in=tenants).values_list("pk", "email"):
        found[tenant_id] = found[tenant_id] or [email]
    return found


def address(*users: str, tenant: str = "tenant") -> Expression:
    """Address of the first active user that the paths `users` lead to, or else of their tenant."""
    active = [Case(When(**{f"{user}__is_active": True}, then=F(f"{user}__email"))) for user in users]
    return Coalesce(*active, F(f"{tenant}__email"), output_field=CharField())
