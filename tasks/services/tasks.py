"""The tasks ``services.tasks.*``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from celery import shared_task
from django.db.models import (
    Case,
    Count,
    F,
    FloatField,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, Least
from django.db.models.lookups import GreaterThan

from tasks.base import batches, mail
from tasks.base.clock import Moment, moment, span
from tasks.base.leases import holder
from tasks.base.mail import Letter
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.models import Contract, Proposal, Provider, Service, ServiceRequest, ServiceView
from tasks.services import escrows, ratings

ROWS = 500  # looked at in one step
CONTRACT_MAIL = "contract reminder"  # kind of the letters
ENDING_DAYS = 7  # before the end of a contract
SIGNATURE_EVERY = timedelta(days=7)  # between two reminders of a contract that nobody signs


@shared_task(name="services.tasks.send_contract_reminders", bind=True)
def send_contract_reminders(self: Any, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Remind both sides of contracts waiting for signature, once a week, or ending within 7 days, once."""
    at = moment(now)
    today = at.date()
    state = Contract.State
    unsigned = Q(state=state.UNSIGNED, created_at__lte=at)
    ending = Q(
        state__in=(state.SIGNED, state.ACTIVE),
        delivered_at=None,
        ends_on__range=(today, today + timedelta(days=ENDING_DAYS)),
    )
    rows = Contract.objects.filter(unsigned | ending).select_related("client", "service__provider__user")
    summary = Summary("looked_at", "written")
    for batch in batches.walk(within(rows, tenant_id, "client__tenant"), ROWS):
        summary.add("looked_at", len(batch))
        summary.add("written", mail.write((one for row in batch for one in _letters(row, at)), at))
    summary.merge(mail.deliver(CONTRACT_MAIL, holder(self)))
    return summary


@shared_task(name="services.tasks.expire_old_proposals")
def expire_old_proposals(days: int = 30, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Expire proposals pending for over `days`."""
    at = moment(now)
    old = Proposal.objects.filter(state=Proposal.State.PENDING, created_at__lt=at - span(days=days))
    old = within(old, tenant_id, "request__client__tenant")
    return Summary(expired=batches.update(old, state=Proposal.State.EXPIRED, decided_at=at))


@shared_task(name="services.tasks.calculate_provider_ratings")
def calculate_provider_ratings(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Weighted mean rating of each provider: recent reviews count more."""
    at = moment(now)
    summary = Summary("looked_at", "rated")
    for batch in batches.walk(within(Provider.objects.all(), tenant_id, "user__tenant"), ROWS):
        summary.add("looked_at", len(batch))
        summary.add("rated", ratings.rate(batch, at))
    return summary


@shared_task(name="services.tasks.cleanup_abandoned_requests")
def cleanup_abandoned_requests(days: int = 60, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Close service requests without activity for `days`."""
    at = moment(now)
    idle = ServiceRequest.objects.filter(state=ServiceRequest.State.OPEN, active_at__lte=at - span(days=days))
    idle = within(idle, tenant_id, "client__tenant")
    return Summary(closed=batches.update(idle, state=ServiceRequest.State.CLOSED, closed_at=at))


@shared_task(name="services.tasks.update_contract_statuses")
def update_contract_statuses(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Activate signed contracts on their first day, complete delivered ones, mark the others overdue."""
    at = moment(now)
    state = Contract.State
    rows = within(Contract.objects.all(), tenant_id, "client__tenant")
    begun = rows.filter(state=state.SIGNED, starts_on__lte=at.date())
    activated = batches.update(begun, state=state.ACTIVE)
    delivered = rows.filter(state__in=(state.ACTIVE, state.OVERDUE), delivered_at__lte=at)
    completed = batches.update(delivered, state=state.COMPLETED, completed_at=at)
    # The last day itself is still in time.
    late = rows.filter(state=state.ACTIVE, ends_on__lt=at.date())
    overdue = batches.update(late, state=state.OVERDUE)
    return Summary(activated=activated, completed=completed, overdue=overdue)


@shared_task(name="services.tasks.update_service_statistics")
def update_service_statistics(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Views, orders and conversion of each service."""
    at = moment(now)
    views = _count(ServiceView.objects.filter(service=OuterRef("pk"), at__lte=at))
    orders = _count(
        Contract.objects.filter(service=OuterRef("pk"), created_at__lte=at).exclude(
            state=Contract.State.CANCELLED
        )
    )
    share = Least(Cast(orders, FloatField()) / Cast(views, FloatField()), Value(1.0))
    stale = Service.objects.alias(seen=views, ordered=orders).exclude(views=F("seen"), orders=F("ordered"))
    updated = batches.update(
        within(stale, tenant_id, "provider__user__tenant"),
        views=views,
        orders=orders,
        conversion=Case(When(GreaterThan(views, Value(0)), then=share), default=None),
        counted_at=at,
    )
    return Summary(looked_at=Service.objects.count(), updated=updated)


@shared_task(name="services.tasks.process_escrow_releases")
def process_escrow_releases(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Release escrows whose contract is complete and whose hold has passed, once, and book them."""
    at = moment(now)
    summary = Summary("looked_at", "released")
    for batch in batches.walk(within(escrows.releasable(at), tenant_id, "contract__client__tenant"), ROWS):
        summary.add("looked_at", len(batch))
        escrows.release(batch, at, summary)
    return summary


def _count(rows: QuerySet[Any]) -> Coalesce:
    counted = rows.order_by().values("service").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def _letters(contract: Contract, at: datetime) -> Iterator[Letter]:
    """To the client and to the provider."""
    service = contract.service
    if contract.state == Contract.State.UNSIGNED:
        occasion = f"unsigned, reminder {(at - contract.created_at) // SIGNATURE_EVERY + 1}"
        subject, line = f"To be signed: {service.title}", "This contract waits for its signature."
    else:
        ends: date = contract.ends_on
        occasion = f"ends {ends:%Y-%m-%d}"
        subject, line = f"Ends soon: {service.title}", f"This contract ends on {ends:%d %B %Y}."
    for person in dict.fromkeys((contract.client, service.provider.user)):
        if person.is_active:
            yield Letter(
                CONTRACT_MAIL,
                f"contract {contract.pk}, {occasion}",
                person.email,
                subject,
                lines=(line,),
                facts=(
                    ("service", service.title),
                    ("client", contract.client.name),
                    ("provider", service.provider.name),
                    ("from", contract.starts_on),
                    ("to", contract.ends_on),
                ),
                tenant_id=person.tenant_id,
            )
