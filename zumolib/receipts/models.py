"""The table of receipts. A row is written before its action starts, and once more when that has ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from zumolib.errors import ControlError
from zumolib.receipts import keeping
from zumolib.receipts.observation import NOT_VERIFIED, UNKNOWN, VERIFIED, Observation

keeping.require_settings()


class Receipts(models.QuerySet):
    """Rows that cannot be changed or deleted in bulk."""

    def update(self, **values: Any) -> NoReturn:
        """Refuse."""
        raise ControlError("receipts are not changed; undo an action by an action: `zumo undo ID`")

    def delete(self) -> NoReturn:
        """Refuse."""
        raise ControlError("receipts are not deleted; undo an action by an action: `zumo undo ID`")

    def close(self, pk: int, **values: Any) -> bool:
        """Write the end of an action that is still open; False when it has ended already."""
        return bool(models.QuerySet.update(self.filter(pk=pk, state=Receipt.State.STARTED), **values))

    def let_go(self, before: datetime) -> int:
        """Delete what is older, except what a younger receipt took back; how many went."""
        old = models.QuerySet.filter(self, started_at__lt=before)
        named = self.model.objects.filter(started_at__gte=before, undoes__isnull=False).values("undoes")
        # Those that took others back go first.
        return sum(
            models.QuerySet.delete(rows.exclude(pk__in=named))[0]
            for rows in (old.filter(undoes__isnull=False, undone_by=None), old.filter(undone_by=None))
        )

    def scrub(self, hide: Callable[[Any], Any], *, write: bool = True) -> int:
        """Put `hide` of it in the place of what these rows say, and change nothing else; how many change."""
        changed = 0
        for row in self.iterator():
            before = {name: getattr(row, name) for name in SHOWN}
            after = {name: hide(value) for name, value in before.items()}
            if after != before:
                changed += 1
                if write:
                    models.QuerySet.update(self.model.objects.filter(pk=row.pk), **after)
        return changed


SHOWN = (
    *("target", "summary", "reason", "outcome", "observed"),
    *("asked", "affected", "before", "after", "steps", "caveats"),
)
"""What people read of a receipt; the way back is not among it."""


class Receipt(models.Model):
    """One action on the running system."""

    class State(models.TextChoices):
        """What became of it."""

        STARTED = "started", "started, no end known"
        DONE = "done", "done"
        PARTLY = "partly", "done in part"
        CANCELLED = "cancelled", "cancelled before its end"
        FAILED = "failed", "failed"

    class Verdict(models.TextChoices):
        """Whether its effect was seen afterwards."""

        SEEN = VERIFIED, VERIFIED
        NOT_SEEN = NOT_VERIFIED, NOT_VERIFIED
        CANNOT_TELL = UNKNOWN, UNKNOWN

    # The plan's own id: a plan is applied once.
    plan = models.UUIDField(unique=True, editable=False)
    action = models.CharField(max_length=40)
    target = models.CharField(max_length=300, help_text="What was acted on.")
    summary = models.TextField(help_text="The action as one sentence.")
    actor = models.CharField(max_length=200, help_text="Who.")
    reason = models.TextField(blank=True, help_text="Why.")
    process = models.CharField(max_length=200, help_text="Machine and process that carried it out.")
    started_at = models.DateTimeField(help_text="UTC.")
    finished_at = models.DateTimeField(null=True, blank=True, help_text="UTC.")
    state = models.CharField(max_length=10, choices=State, default=State.STARTED)
    outcome = models.TextField(blank=True, help_text="What came of it.")
    verdict = models.CharField(max_length=12, blank=True, choices=Verdict, help_text="Empty: nobody looked.")
    observed = models.TextField(blank=True, help_text="What was seen afterwards.")
    observed_at = models.DateTimeField(null=True, blank=True, help_text="UTC.")
    lasting = models.TextField(blank=True, help_text="How long that can be relied on.")
    asked = models.JSONField(encoder=DjangoJSONEncoder, default=dict, help_text="Masked.")
    affected = models.JSONField(encoder=DjangoJSONEncoder, default=list, help_text="Rows of the preview.")
    affected_count = models.PositiveIntegerField(default=0)
    before = models.JSONField(encoder=DjangoJSONEncoder, default=dict)
    after = models.JSONField(encoder=DjangoJSONEncoder, default=dict)
    steps = models.JSONField(encoder=DjangoJSONEncoder, default=list, help_text="Outcome by target.")
    caveats = models.JSONField(default=list, help_text="What the action cannot guarantee.")
    undo = models.JSONField(encoder=DjangoJSONEncoder, null=True, blank=True, help_text="The way back.")
    no_way_back = models.TextField(blank=True, help_text="Why there is none.")
    undoes = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="undone_by"
    )

    objects = Receipts.as_manager()

    class Meta:
        ordering = ("-id",)
        verbose_name = "receipt"
        indexes = (models.Index(fields=["action", "target"], name="receipt_action_target"),)

    def __str__(self) -> str:
        return f"{self.pk}: {self.summary}"

    @property
    def checked(self) -> Observation:
        """What was observed afterwards, as one record."""
        return Observation(
            self.verdict or UNKNOWN, self.observed or "nobody looked", self.observed_at, self.lasting
        )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; a row that is there is never saved again."""
        if not self._state.adding:
            raise ControlError(f"receipt {self.pk} is not changed; undo it by `zumo undo {self.pk}`")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise ControlError(f"receipt {self.pk} is not deleted; undo it by `zumo undo {self.pk}`")
