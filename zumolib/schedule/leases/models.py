"""The table of leases. Who holds a row does the work it names, alone, until its time is over.

All times are the database's: the clocks of the machines that contend may differ.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import ExpressionWrapper, Q
from django.db.models.functions import Now


class Leases(models.QuerySet):
    """Leases, each changed in one statement that names what it expects."""

    def take(self, name: str, holder: uuid.UUID, seconds: float, *, of: Any = None, **about: Any) -> bool:
        """Take a lease that is free, over, or of `of`, who is known to be dead; whether that worked."""
        self.bulk_create([Lease(name=name)], ignore_conflicts=True)
        free = Q(holder=None) | Q(until=None) | Q(until__lt=Now())
        if of is not None:
            free |= Q(holder=of)
        changed = {"holder": holder, "since": Now(), "renewed": Now(), "until": _later(seconds), **about}
        return bool(self.filter(free, name=name).update(**changed))

    def renew(self, name: str, holder: uuid.UUID, seconds: float, **about: Any) -> bool:
        """Hold it for longer; False when somebody else has taken it."""
        changed = {"renewed": Now(), "until": _later(seconds), **about}
        return bool(self.filter(name=name, holder=holder).update(**changed))

    def give_back(self, name: str, holder: uuid.UUID, **about: Any) -> bool:
        """Free it at once."""
        return bool(self.filter(name=name, holder=holder).update(holder=None, until=Now(), **about))

    def look(self, name: str) -> Lease | None:
        """The lease with the database's time as `now`; None where nobody ever took it."""
        return self.filter(name=name).annotate(now=Now()).first()


class Lease(models.Model):
    """One of them."""

    name = models.CharField(max_length=40, primary_key=True, help_text="What the holder does.")
    holder = models.UUIDField(null=True, help_text="A process; empty: it is free.")
    host = models.CharField(max_length=255, blank=True)
    pid = models.BigIntegerField(null=True)
    place = models.CharField(max_length=300, blank=True, help_text="Where `pid` means a process.")
    born = models.FloatField(null=True, help_text="When that process was started, as its system counts.")
    since = models.DateTimeField(null=True, help_text="UTC, of the database.")
    renewed = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    starts = models.JSONField(default=list, help_text="When it was taken since one ended properly.")
    skipped = models.JSONField(default=dict, help_text="What the holder leaves out, and why.")

    objects = Leases.as_manager()

    class Meta:
        verbose_name = "lease"

    def __str__(self) -> str:
        return self.name


def _later(seconds: float) -> ExpressionWrapper:
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=models.DateTimeField())
