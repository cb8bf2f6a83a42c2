"""E-mail that was decided on, and whether it left."""

from __future__ import annotations

from django.db import models

from tasks.models.constraints import one_of
from tasks.models.tenants import Tenant


class MailState(models.TextChoices):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    REFUSED = "refused"  # the server, or the address itself, will never take it


class Mail(models.Model):
    """One message to one recipient; its key makes sure that it is written once."""

    State = MailState

    key = models.CharField(max_length=200, unique=True, help_text="what it is about: kind, object, occasion")
    kind = models.CharField(max_length=60)
    tenant = models.ForeignKey(Tenant, models.SET_NULL, null=True)
    recipient = models.CharField(max_length=320)
    subject = models.CharField(max_length=250)
    text = models.TextField()
    html = models.TextField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    created_at = models.DateTimeField()
    holder = models.CharField(max_length=100, blank=True, help_text="the run that sends it")
    held_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    detail = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [one_of("mail", "state", MailState)]
        indexes = [
            models.Index(
                fields=["kind", "id"],
                name="mail_waiting",
                condition=models.Q(state__in=["queued", "sending"]),
            ),
            models.Index(fields=["recipient", "created_at"], name="mail_recipient"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient}"
