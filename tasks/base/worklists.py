"""What waits for each person, as one letter a person and day instead of one for each thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Case, CharField, Expression, F, When
from django.db.models.functions import Coalesce

from tasks.base.mail import Letter
from tasks.models import Tenant, User

TENANTS = 100  # whose lists are in memory at a time
SHOWN = 20  # things that a letter names; it counts the others
SHARED = ""  # no address
WIDTH = 300  # characters of one line


@dataclass
class Worklists:
    """The lists of some tenants' people, one for each person and occasion.

    What concerns all of a tenant's HR is shared: it is kept once, however many they are.
    """

    _lines: dict[tuple[int, str, str], list[str]] = field(default_factory=dict)
    _counts: dict[tuple[int, str, str], int] = field(default_factory=dict)

    def add(self, tenant_id: int, recipient: str, line: str, occasion: object) -> None:
        """Put a thing on the list of `recipient`."""
        key = (tenant_id, str(occasion), recipient)
        self._counts[key] = self._counts.get(key, 0) + 1
        lines = self._lines.setdefault(key, [])
        if len(lines) < SHOWN:
            lines.append(line[:WIDTH])

    def share(self, tenant_id: int, line: str, occasion: object) -> None:
        """Put a thing on the list that a tenant's HR shares."""
        self.add(tenant_id, SHARED, line, occasion)

    def letters(
        self, kind: str, subject: str, opening: str, hr: Mapping[int, Sequence[str]] | None = None
    ) -> Iterator[Letter]:
        """A letter for each list and person.

        Parameters
        ----------
        subject
            May hold ``{count}`` and ``{occasion}``.
        hr
            Addresses of each tenant's HR, for whom the shared lists are.
        """
        for (tenant_id, occasion, recipient), lines in self._lines.items():
            key = (tenant_id, occasion, recipient)
            count = self._counts[key]
            more = (f"… and {count - len(lines)} more.",) if count > len(lines) else ()
            about = f"tenant {tenant_id}, {occasion}"
            everybody: Sequence[str] = (recipient,)
            if recipient == SHARED:
                about, everybody = f"{about}, HR", (hr or {})[tenant_id]
            for person in everybody:
                yield Letter(
                    kind,
                    about,
                    person,
                    subject.format(count=count, occasion=occasion),
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
