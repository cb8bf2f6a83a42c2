"""Newsletters, campaigns, and the way from a visit to a subscription."""

from __future__ import annotations

from django.db import models

from tasks.models.constraints import one_of
from tasks.models.tenants import Tenant


class SubscriberState(models.TextChoices):
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"


class Subscriber(models.Model):
    """Somebody who wants the newsletter, or no longer does."""

    State = SubscriberState

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.SUBSCRIBED)
    changed_at = models.DateTimeField()
    synced_at = models.DateTimeField(null=True, help_text="when the mailing provider was told of the state")

    class Meta:
        constraints = [one_of("subscriber", "state", SubscriberState)]
        indexes = [models.Index(fields=["changed_at"], name="subscriber_changed")]

    def __str__(self) -> str:
        return self.email


class NewsletterState(models.TextChoices):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    SENT = "sent"


class Newsletter(models.Model):
    """One issue."""

    State = NewsletterState

    subject = models.CharField(max_length=200)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    send_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [one_of("newsletter", "state", NewsletterState)]
        indexes = [models.Index(fields=["state", "send_at"], name="newsletter_state_send")]

    def __str__(self) -> str:
        return self.subject


class NewsletterDelivery(models.Model):
    """One issue to one subscriber, and what became of it."""

    newsletter = models.ForeignKey(Newsletter, models.CASCADE, related_name="deliveries")
    subscriber = models.ForeignKey(Subscriber, models.CASCADE, related_name="deliveries")
    sent_at = models.DateTimeField(db_index=True)
    opened_at = models.DateTimeField(null=True)
    clicked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["newsletter", "subscriber"], name="newsletterdelivery_once")
        ]

    def __str__(self) -> str:
        return f"{self.newsletter_id} to {self.subscriber_id}"


class Lead(models.Model):
    """Somebody who may become a customer."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    company = models.CharField(max_length=200, blank=True)
    company_size = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField()
    signed_up_at = models.DateTimeField(null=True)
    subscribed_at = models.DateTimeField(null=True)
    tenant = models.ForeignKey(Tenant, models.SET_NULL, null=True, related_name="leads")
    score = models.FloatField(null=True, help_text="0 to 100")
    scored_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["signed_up_at"], name="lead_signed_up"),
            models.Index(fields=["subscribed_at"], name="lead_subscribed"),
        ]

    def __str__(self) -> str:
        return self.email


class VisitKind(models.TextChoices):
    PAGE = "page"
    OPEN = "open"
    DOWNLOAD = "download"


class Visit(models.Model):
    """One visit of the public site: a page, an opened mail, or a download."""

    Kind = VisitKind

    # The index by lead and moment serves it.
    lead = models.ForeignKey(Lead, models.CASCADE, null=True, db_index=False, related_name="visits")
    visitor = models.CharField(max_length=64)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.PAGE)
    path = models.CharField(max_length=300)
    at = models.DateTimeField()

    class Meta:
        constraints = [one_of("visit", "kind", VisitKind)]
        indexes = [
            models.Index(fields=["at"], name="visit_at"),
            models.Index(fields=["lead", "at"], name="visit_lead_at"),
        ]

    def __str__(self) -> str:
        return self.path


class CampaignState(models.TextChoices):
    SCHEDULED = "scheduled"
    RUNNING = "running"
    DONE = "done"


class Campaign(models.Model):
    """A mailing to leads, sent batch by batch."""

    State = CampaignState

    name = models.CharField(max_length=120)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.SCHEDULED)
    starts_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    batch_size = models.PositiveIntegerField(default=100, help_text="messages a run")
    least_score = models.FloatField(default=0, help_text="leads below it are left out")

    class Meta:
        constraints = [one_of("campaign", "state", CampaignState)]
        indexes = [models.Index(fields=["state", "starts_at"], name="campaign_state_starts")]

    def __str__(self) -> str:
        return self.name


class CampaignMessage(models.Model):
    """One campaign to one lead."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="messages")
    lead = models.ForeignKey(Lead, models.CASCADE, related_name="campaign_messages")
    sent_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "lead"], name="campaignmessage_once")]

    def __str__(self) -> str:
        return f"{self.campaign_id} to {self.lead_id}"
