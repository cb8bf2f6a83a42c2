"""The tasks ``messages_sys.tasks.*``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.db import transaction
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from tasks.base import archives, batches, mail
from tasks.base.clock import Moment, moment, span
from tasks.base.leases import holder
from tasks.base.mail import Letter
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.messages_sys import contacts, spam
from tasks.models import Conversation, EmailNotice, Message, Participant, User

MESSAGES = archives.Shelf("messages", Message, "sent_at", "conversation__tenant")
UNREAD_MAIL = "unread messages"  # kind of the letters
RECENT = timedelta(days=30)  # what was left unread for longer is not brought up again
ATTEMPTS = 5  # of a delivery, the first among them
MINUTE = timedelta(minutes=1)


@shared_task(name="messages_sys.tasks.cleanup_old_messages", bind=True)
def cleanup_old_messages(
    self: Any, days: int = 730, archive_days: int = 1826, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Archive messages older than `days`, and delete archives older than `archive_days`."""
    at = moment(now)
    cutoff, forgotten = at - span(days=days), at - span(days=archive_days)
    summary = archives.retire(MESSAGES, cutoff, at, holder(self), tenant_id)
    if tenant_id is None and "in_progress" not in summary:  # an archive may hold rows of many tenants
        summary.merge(archives.forget(MESSAGES, forgotten))
    return summary


@shared_task(name="messages_sys.tasks.send_unread_notifications", bind=True)
def send_unread_notifications(
    self: Any, unread_minutes: int = 60, hours: int = 4, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """E-mail users with messages unread for over `unread_minutes`, at most once per `hours`.

    The pause is counted in whole minutes: a run that comes some milliseconds earlier than its schedule
    says must not leave everybody out.
    """
    at = moment(now)
    before, pause = at - span(minutes=unread_minutes), span(hours=hours)
    told = EmailNotice.objects.filter(
        user=OuterRef("pk"), sent_at__gte=at.replace(second=0, microsecond=0) - pause + MINUTE
    )
    users = User.objects.filter(Exists(Participant.objects.filter(user=OuterRef("pk"))), is_active=True)
    summary = Summary("looked_at", "told")
    for batch in batches.walk(within(users.exclude(Exists(told)), tenant_id)):
        summary.add("looked_at", len(batch))
        with transaction.atomic():
            summary.add("told", _tell(batch, at, before))
    summary.merge(mail.deliver(UNREAD_MAIL, holder(self)))
    return summary


@shared_task(name="messages_sys.tasks.update_conversation_stats")
def update_conversation_stats(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Count messages, and note the last activity, per conversation and participant."""
    at = moment(now)
    sent = Message.objects.filter(sent_at__lte=at).order_by()
    here = sent.filter(conversation=OuterRef("pk"))
    own = sent.filter(conversation=OuterRef("conversation"), sender=OuterRef("user"))
    stale = Conversation.objects.filter(Q(counted_at__isnull=True) | Q(counted_at__lt=at))
    summary = Summary("conversations", "participants")
    for batch in batches.walk(within(stale, tenant_id).only("pk")):
        keys = [row.pk for row in batch]
        with transaction.atomic():
            people = Participant.objects.filter(conversation__in=keys)
            summary.add("participants", people.update(**_figures(own)))
            threads = Conversation.objects.filter(pk__in=keys)
            summary.add("conversations", threads.update(**_figures(here), counted_at=at))
    return summary


@shared_task(name="messages_sys.tasks.update_delivery_status")
def update_delivery_status(
    pause_minutes: int = 5, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Move sent messages to delivered or failed, and try failed ones again after growing pauses.

    A message arrives where somebody else takes part in its conversation who can still log in.
    """
    at, pause = moment(now), span(minutes=pause_minutes)
    others = Participant.objects.filter(conversation=OuterRef("conversation"), user__is_active=True)
    arrives = Exists(others.filter(~Q(user=Coalesce(OuterRef("sender"), Value(0)))))
    sent = Message.objects.filter(state=Message.State.SENT, sent_at__lte=at)
    rested = Q(attempts=0) | Q(attempted_at__isnull=True, attempts__lt=ATTEMPTS)
    for attempts in range(1, ATTEMPTS):
        rested |= Q(attempts=attempts, attempted_at__lte=at - pause * 2 ** (attempts - 1))
    failed = Message.objects.filter(rested, state=Message.State.FAILED, sent_at__lte=at)
    sent, failed = (within(rows, tenant_id, "conversation__tenant") for rows in (sent, failed))
    tried: dict[str, Any] = {"attempts": F("attempts") + 1, "attempted_at": at}
    arrived = {"state": Message.State.DELIVERED, "delivered_at": at, **tried}
    return Summary(
        recovered=batches.update(failed.filter(arrives), **arrived),
        failed_again=batches.update(failed.exclude(arrives), **tried),
        delivered=batches.update(sent.filter(arrives), **arrived),
        failed=batches.update(sent.exclude(arrives), state=Message.State.FAILED, **tried),
    )


@shared_task(name="messages_sys.tasks.generate_contact_suggestions")
def generate_contact_suggestions(limit: int = 5, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Suggest to each user up to `limit` contacts, by shared conversations and employers."""
    if limit < 1:
        raise ValueError(f"limit={limit} must be 1 or more")
    at = moment(now)
    summary = Summary("looked_at", "added", "changed", "removed")
    users = User.objects.filter(is_active=True)
    for batch in batches.walk(within(users, tenant_id), contacts.USERS):
        summary.add("looked_at", len(batch))
        summary.merge(contacts.suggest(batch, limit, at))
    return summary


@shared_task(name="messages_sys.tasks.detect_spam_messages")
def detect_spam_messages(threshold: float = 0.5, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Flag messages by rate, repeated text and link density."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold={threshold} must be above 0, and 1 at most")
    unseen = Message.objects.filter(spam_score__isnull=True, sent_at__lte=moment(now))
    summary = Summary("scored", "flagged")
    for batch in batches.walk(spam.loaded(within(unseen, tenant_id, "conversation__tenant"))):
        summary.merge(spam.score(batch, threshold))
    return summary


def _figures(messages: QuerySet[Message]) -> dict[str, Any]:
    """How many there are and when the last one was, as one statement can set them on many rows."""
    count = messages.order_by().values(group=Value(1)).annotate(n=Count("pk")).values("n")
    last = messages.order_by().values(group=Value(1)).annotate(at=Max("sent_at")).values("at")
    return {"messages_counted": Coalesce(Subquery(count), 0), "active_at": Subquery(last)}


def _tell(users: list[User], at: datetime, before: datetime) -> int:
    """Write a letter to each of these users who has unread messages, and note that it was written."""
    people = {user.pk: user for user in users}
    reader = "conversation__participants"
    unread = (
        Message.objects.filter(
            Q(**{f"{reader}__read_at__isnull": True}) | Q(sent_at__gt=F(f"{reader}__read_at")),
            ~Q(sender=F(f"{reader}__user")),
            # Said by what it is not: nearly all messages are delivered, and an index on that misleads.
            ~Q(state__in=(Message.State.SENT, Message.State.FAILED)),
            **{f"{reader}__user__in": list(people)},
            is_spam=False,
            sent_at__gte=at - RECENT,
            sent_at__lt=before,
        )
        .order_by(f"{reader}__user")
        .values_list(f"{reader}__user")
        .annotate(Count("pk"), Count("conversation", distinct=True), Min("sent_at"))
    )
    found = list(unread)
    mail.write((_letter(people[pk], figures, at) for pk, *figures in found), at)
    told = [EmailNotice(user_id=pk, sent_at=at) for pk, *_ in found]
    EmailNotice.objects.bulk_create(
        told, update_conflicts=True, unique_fields=["user"], update_fields=["sent_at"]
    )
    return len(told)


def _letter(user: User, figures: list[Any], at: datetime) -> Letter:
    messages, threads, oldest = figures
    return Letter(
        UNREAD_MAIL,
        f"user {user.pk}, {at.isoformat()}",
        user.email,
        f"{messages} unread {'message' if messages == 1 else 'messages'}",
        lines=(f"Hello {user.name}, messages are waiting for you.",),
        facts=(
            ("messages", messages),
            ("conversations", threads),
            ("the oldest is from", f"{oldest:%d %B %Y, %H:%M} UTC"),
        ),
        tenant_id=user.tenant_id,
    )
