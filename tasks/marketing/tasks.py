"""The tasks ``marketing.tasks.*``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from tasks.base import batches, mail, metrics
from tasks.base.clock import Moment, moment, span
from tasks.base.leases import holder
from tasks.base.summary import Summary
from tasks.marketing import leads, mailing_list
from tasks.models import Campaign, CampaignMessage, Lead, Metric, Subscriber, Visit

MAIL = "campaign"
PARAGRAPHS = 50
FUNNEL = ("funnel",)  # family of the metrics


@shared_task(name="marketing.tasks.process_scheduled_campaigns", bind=True)
def process_scheduled_campaigns(self: Any, pause_minutes: int = 30, now: Moment = None) -> Summary:
    """Start the campaigns that are due, and send the next batch of each one that runs.

    Between two batches of a campaign lie `pause_minutes` at least: a message that is delivered again,
    or a second one by hand, gives no second batch.
    """
    at = moment(now)
    pause = span(minutes=pause_minutes)
    summary = Summary("looked_at", "started", "written", "done")
    due = Campaign.objects.filter(state=Campaign.State.SCHEDULED, starts_at__lte=at)
    summary["started"] = batches.update(due, state=Campaign.State.RUNNING, started_at=at)
    for batch in batches.walk(Campaign.objects.filter(state=Campaign.State.RUNNING)):
        for campaign in batch:
            summary.add("looked_at")
            with summary.row("campaign", campaign.pk):
                _send_batch(campaign.pk, at, pause, summary)
    summary.merge(mail.deliver(MAIL, holder(self)))
    return summary


@shared_task(name="marketing.tasks.calculate_conversion_metrics")
def calculate_conversion_metrics(now: Moment = None) -> Summary:
    """Store yesterday's visitors, sign-ups and subscriptions, and the rates from one to the next.

    Both rates are of the day: a subscription counts on its day, whenever its lead signed up. Without a
    visitor or a sign-up there is no rate.
    """
    at = moment(now)
    day = at.date() - metrics.DAY
    within = metrics.midnight(day), metrics.midnight(day + metrics.DAY)
    visitors = _within(Visit.objects.filter(kind=Visit.Kind.PAGE), "at", within)
    values = {
        "funnel.visitors": visitors.values("visitor").distinct().count(),
        "funnel.sign_ups": _within(Lead.objects.all(), "signed_up_at", within).count(),
        "funnel.subscriptions": _within(Lead.objects.all(), "subscribed_at", within).count(),
    }
    came, signed, stayed = values.values()
    rates = {"funnel.visit_to_sign_up": (signed, came), "funnel.sign_up_to_subscription": (stayed, signed)}
    values |= {name: round(part / whole, 4) for name, (part, whole) in rates.items() if whole}
    stored = metrics.store(Metric.Period.DAY, day, {metrics.PLATFORM: values}, at, families=FUNNEL)
    return Summary(day=day.isoformat(), figures=values, **stored)


@shared_task(name="marketing.tasks.cleanup_old_visits")
def cleanup_old_visits(days: int = 90, now: Moment = None) -> Summary:
    """Delete visits older than `days`."""
    old = Visit.objects.filter(at__lt=moment(now) - span(days=days))
    return Summary(deleted=batches.delete(old), left=Visit.objects.count())


@shared_task(name="marketing.tasks.sync_newsletter_subscribers")
def sync_newsletter_subscribers(now: Moment = None) -> Summary:
    """Take over who unsubscribed at the mailing provider, then tell it of who is new and who left."""
    at = moment(now)
    if not mailing_list.configured():
        return Summary(looked_at=_untold(at).count(), provider="off")
    summary = Summary("looked_at", "unsubscribed", "pushed")
    # First what was said there: a state of ours that is older must not overwrite an unsubscribe.
    for page in mailing_list.unsubscribed():
        summary.add("unsubscribed", _take_over(page, at))
    for batch in batches.walk(_untold(at), mailing_list.BATCH):
        summary.add("looked_at", len(batch))
        summary.add("pushed", _push(batch, at, summary))
    return summary


@shared_task(name="marketing.tasks.calculate_lead_scores")
def calculate_lead_scores(days: int = 90, now: Moment = None) -> Summary:
    """Score prospects by their visits, opened mails and downloads of the last `days`, and by company fit."""
    at, window = moment(now), span(days=days)
    return Summary(looked_at=leads.prospects().count(), scored=leads.score(at, window))


def _within(rows: QuerySet[Any], column: str, within: tuple[datetime, datetime]) -> QuerySet[Any]:
    return rows.filter(**{f"{column}__gte": within[0], f"{column}__lt": within[1]})


def _send_batch(campaign_id: int, at: datetime, pause: timedelta, summary: Summary) -> None:
    """Write the next batch, or call the campaign done; all of it or nothing."""
    with transaction.atomic():
        running = Campaign.objects.select_for_update().filter(pk=campaign_id, state=Campaign.State.RUNNING)
        campaign = running.first()
        if campaign is None or campaign.messages.filter(sent_at__gt=at - pause).exists():
            return
        chosen = list(_audience(campaign)[: max(1, campaign.batch_size) + 1])
        batch = chosen[: max(1, campaign.batch_size)]
        CampaignMessage.objects.bulk_create(
            [CampaignMessage(campaign=campaign, lead=lead, sent_at=at) for lead in batch],
            ignore_conflicts=True,
        )
        summary.add("written", mail.write((_letter(campaign, lead) for lead in batch), at))
        if len(chosen) == len(batch):
            summary.add("done", running.update(state=Campaign.State.DONE, done_at=at))


def _audience(campaign: Campaign) -> QuerySet[Lead]:
    """Leads that the campaign is still to reach, the best first; never who has unsubscribed."""
    has = CampaignMessage.objects.filter(campaign=campaign, lead=OuterRef("pk"))
    left = Subscriber.objects.filter(email=OuterRef("email"), state=Subscriber.State.UNSUBSCRIBED)
    rows = Lead.objects.annotate(worth=Coalesce(F("score"), 0.0)).filter(worth__gte=campaign.least_score)
    return rows.filter(~Exists(has), ~Exists(left)).order_by("-worth", "pk")


def _letter(campaign: Campaign, lead: Lead) -> mail.Letter:
    paragraphs = [line for line in campaign.body.splitlines() if line.strip()][:PARAGRAPHS]
    return mail.Letter(
        MAIL,
        f"campaign {campaign.pk}, lead {lead.pk}",
        lead.email,
        campaign.subject,
        lines=(f"Hello {lead.name},", *paragraphs) if lead.name else tuple(paragraphs),
        tenant_id=lead.tenant_id,
    )


def _untold(at: datetime) -> QuerySet[Subscriber]:
    """Subscribers whose present state the mailing provider was not told of."""
    changed = Subscriber.objects.filter(changed_at__lte=at)
    return changed.filter(Q(synced_at=None) | Q(synced_at__lt=F("changed_at")))


def _take_over(page: dict[str, datetime], at: datetime) -> int:
    """Unsubscribe who did so at the provider after the last change here."""
    known = Subscriber.objects.filter(email__in=page, state=Subscriber.State.SUBSCRIBED)
    left = [row.pk for row in known if page[row.email] > row.changed_at]
    rows = Subscriber.objects.filter(pk__in=left, state=Subscriber.State.SUBSCRIBED)
    return rows.update(state=Subscriber.State.UNSUBSCRIBED, changed_at=at, synced_at=at)


def _push(batch: list[Subscriber], at: datetime, summary: Summary) -> int:
    members = [
        mailing_list.Member(row.email, row.name, row.state == Subscriber.State.SUBSCRIBED) for row in batch
    ]
    refused = mailing_list.push(members)
    for row in batch:
        if row.email in refused:
            summary.skip("subscriber", row.pk, refused[row.email])
    told = [row.pk for row in batch if row.email not in refused]
    # Who changed again meanwhile is told the next time.
    return Subscriber.objects.filter(pk__in=told, changed_at__lte=at).update(synced_at=at)
