"""The tasks ``newsletter.tasks.*``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from celery import shared_task
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from tasks.base import batches, mail
from tasks.base.clock import Moment, moment, span
from tasks.base.leases import holder
from tasks.base.summary import Summary
from tasks.models import Newsletter, NewsletterDelivery, Subscriber

MAIL = "newsletter"
READERS_AT_ONCE = 400  # their letters and deliveries are one transaction
PARAGRAPHS = 50  # of a body; more is no newsletter
WAITING = (Newsletter.State.DRAFT, Newsletter.State.SCHEDULED)
UNSENT = (Newsletter.State.SCHEDULED, Newsletter.State.SENDING)
WHY = "You get this because you asked for our newsletter. Answer “unsubscribe” to get no more."


@shared_task(name="newsletter.tasks.send_scheduled_newsletters", bind=True)
def send_scheduled_newsletters(self: Any, now: Moment = None) -> Summary:
    """Send the newsletters that are due, and finish those that a run left behind."""
    at = moment(now)
    return _send(Newsletter.objects.filter(state__in=UNSENT, send_at__lte=at), at, holder(self))


@shared_task(name="newsletter.tasks.send_newsletter", bind=True)
def send_newsletter(self: Any, newsletter_id: int, now: Moment = None) -> Summary:
    """Send one newsletter now, whenever it was to be sent; one that was sent is left alone."""
    issues = Newsletter.objects.filter(pk=newsletter_id)
    summary = _send(issues.exclude(state=Newsletter.State.SENT), moment(now), holder(self))
    if not summary["looked_at"] and not issues.exists():
        summary.skip("newsletter", newsletter_id, "there is none; it may have been deleted")
    return summary


@shared_task(name="newsletter.tasks.cleanup_old_statistics")
def cleanup_old_statistics(days: int = 365, now: Moment = None) -> Summary:
    """Delete who got, opened and clicked what more than `days` ago."""
    # Those of an issue that is still being sent are no statistics: they say who has it already.
    sent = Newsletter.objects.filter(state=Newsletter.State.SENT)
    old = NewsletterDelivery.objects.filter(sent_at__lt=moment(now) - span(days=days), newsletter__in=sent)
    return Summary(deleted=batches.delete(old), left=NewsletterDelivery.objects.count())


def _send(issues: QuerySet[Newsletter], at: datetime, who: str) -> Summary:
    """Write each issue to those who do not have it yet, send what waits, and call the issues sent.

    A reader's delivery and letter are written together, so a run that was killed goes on with the next.
    """
    summary = Summary("looked_at", "written", "sent")
    written = []
    for batch in batches.walk(issues):
        for issue in batch:
            summary.add("looked_at")
            with summary.row("newsletter", issue.pk):
                Newsletter.objects.filter(pk=issue.pk, state__in=WAITING).update(
                    state=Newsletter.State.SENDING
                )
                for readers in batches.walk(_without(issue), READERS_AT_ONCE):
                    summary.add("written", _write(issue, readers, at))
                written.append(issue.pk)
    summary.merge(mail.deliver(MAIL, who))
    summary["sent"] = Newsletter.objects.filter(pk__in=written, state=Newsletter.State.SENDING).update(
        state=Newsletter.State.SENT, sent_at=at
    )
    return summary


def _without(issue: Newsletter) -> QuerySet[Subscriber]:
    """Subscribers to whom the issue was not written yet."""
    has = NewsletterDelivery.objects.filter(newsletter=issue, subscriber=OuterRef("pk"))
    return Subscriber.objects.filter(~Exists(has), state=Subscriber.State.SUBSCRIBED)


def _write(issue: Newsletter, readers: list[Subscriber], at: datetime) -> int:
    paragraphs = [line for line in issue.body.splitlines() if line.strip()][:PARAGRAPHS]
    letters = [
        mail.Letter(
            MAIL,
            f"issue {issue.pk}, subscriber {reader.pk}",
            reader.email,
            issue.subject,
            lines=(f"Hello {reader.name},", *paragraphs, WHY) if reader.name else (*paragraphs, WHY),
        )
        for reader in readers
    ]
    deliveries = [NewsletterDelivery(newsletter=issue, subscriber=reader, sent_at=at) for reader in readers]
    with transaction.atomic():
        NewsletterDelivery.objects.bulk_create(deliveries, ignore_conflicts=True)
        return mail.write(letters, at)
