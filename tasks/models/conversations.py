"""Messages between users."""

from __future__ import annotations

from django.db import models

from tasks.models.accounts import User
from tasks.models.constraints import one_of
from tasks.models.tenants import Tenant


class Conversation(models.Model):
    """A thread of messages, with figures that a task keeps."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, null=True, related_name="conversations")
    title = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    messages_counted = models.PositiveIntegerField(default=0)
    active_at = models.DateTimeField(null=True)
    counted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.title


class Participant(models.Model):
    """A user in a conversation."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="participants")
    user = models.ForeignKey(User, models.CASCADE, related_name="conversations")
    read_at = models.DateTimeField(null=True, help_text="messages up to then are read")
    messages_counted = models.PositiveIntegerField(default=0)
    active_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation", "user"], name="participant_once")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.conversation_id}"


class MessageState(models.TextChoices):
    SENT = "sent"  # on its way
    DELIVERED = "delivered"
    FAILED = "failed"


class Message(models.Model):
    """One message."""

    State = MessageState

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    sender = models.ForeignKey(User, models.SET_NULL, null=True, related_name="messages")
    text = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.SENT)
    sent_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    attempted_at = models.DateTimeField(null=True)
    spam_score = models.FloatField(null=True, help_text="0 to 1; NULL is not looked at yet")
    is_spam = models.BooleanField(default=False)

    class Meta:
        constraints = [one_of("message", "state", MessageState)]
        indexes = [
            models.Index(fields=["sent_at"], name="message_sent"),
            models.Index(fields=["conversation", "sent_at"], name="message_conversation"),
            models.Index(fields=["state", "attempted_at"], name="message_state_attempted"),
            models.Index(fields=["sender", "sent_at"], name="message_sender"),
        ]

    def __str__(self) -> str:
        return f"message {self.pk}"


class EmailNotice(models.Model):
    """The last e-mail that told a user of unread messages."""

    user = models.OneToOneField(User, models.CASCADE, related_name="unread_notice")
    sent_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"notice of {self.user_id}"


class ContactSuggestion(models.Model):
    """Somebody whom a user may know."""

    user = models.ForeignKey(User, models.CASCADE, related_name="suggestions")
    contact = models.ForeignKey(User, models.CASCADE, related_name="suggested_to")
    score = models.FloatField()
    reason = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "contact"], name="contactsuggestion_once"),
            models.CheckConstraint(
                condition=~models.Q(user=models.F("contact")), name="contactsuggestion_not_oneself"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contact_id} to {self.user_id}"
