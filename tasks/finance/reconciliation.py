"""Our subscriptions and the provider's, brought together page by page.

The provider decides what happens there: a customer cancels in its portal, it moves a period on. We decide
what we ended, and what we took on and could not tell it yet. Neither side ever goes back in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from tasks.base import batches
from tasks.base.money.gateway import client, metadata, reached
from tasks.base.summary import Summary
from tasks.models import Subscription

PAGE = 100  # the most that the provider gives
ROWS = 500  # of ours at once
State = Subscription.State
STATES = {
    "trialing": State.TRIALING,
    "active": State.ACTIVE,
    "past_due": State.PAST_DUE,
    "unpaid": State.PAST_DUE,
    "incomplete": State.PAST_DUE,
    "paused": State.PAST_DUE,
    "canceled": State.CANCELLED,
    "incomplete_expired": State.CANCELLED,
}
FIELDS = ("state", "period_start", "period_end", "cancel_at_period_end", "cancelled_at", "provider_id")


def pull(rows: QuerySet[Any], now: datetime, summary: Summary) -> set[int]:
    """Take over what the provider says of `rows`; returns which of them it knows.

    Raises
    ------
    ConnectionError
        The provider does not answer; the pages before are taken over.
    """
    seen: set[int] = set()
    for page in _pages():
        summary.add("pages")
        summary.add("looked_at", len(page))
        ours, ended = _take_over(page, rows, now, summary)
        seen |= ours
        for identity, at_period_end in ended.items():
            with summary.row("subscription", identity):
                if at_period_end:
                    _ask(client().v1.subscriptions.update, identity, {"cancel_at_period_end": True})
                else:
                    _ask(client().v1.subscriptions.cancel, identity)
                summary.add("ended_there")
    return seen


def push(rows: QuerySet[Any], seen: set[int], summary: Summary) -> None:
    """Register running subscriptions that the provider does not have yet; count those that it lost.

    Raises
    ------
    ConnectionError
        The provider does not answer; those before are registered.
    """
    for batch in batches.walk(rows.exclude(state=State.CANCELLED).select_related("plan"), ROWS):
        missing = [row for row in batch if row.pk not in seen]
        fresh = [row for row in missing if not row.provider_id]
        summary.add("missing", len(missing) - len(fresh))
        registered: list[Subscription] = []
        try:
            for row in fresh:
                with summary.row("subscription", row.pk):
                    row.provider_id = _register(row)
                    registered.append(row)
        finally:
            Subscription.objects.bulk_update(registered, ["provider_id"])
            summary.add("registered", len(registered))


def _pages() -> Iterator[list[Any]]:
    last = None
    while True:
        params: dict[str, Any] = {"limit": PAGE, "status": "all"}
        if last:
            params["starting_after"] = last
        page = _ask(client().v1.subscriptions.list, params)
        if page.data:
            yield page.data
            last = page.data[-1].id
        if not page.has_more or not page.data:
            return


def _take_over(
    page: Sequence[Any], rows: QuerySet[Any], now: datetime, summary: Summary
) -> tuple[set[int], dict[str, bool]]:
    """One page, as many queries however many of ours are on it.

    Also gives what is to end there: True for what ends with its period, False for what has ended.
    """
    theirs = {one.id: one for one in page}
    named = {
        int(name): one.id
        for one in page
        if (name := str(metadata(one).get("subscription", ""))).isdecimal() and len(name) < 18
    }
    with transaction.atomic():
        locked = rows.select_for_update(of=("self",)).order_by("pk")
        ours = {row.provider_id: row for row in locked.filter(provider_id__in=theirs)}
        # Registered by a run that was killed before it could store the id.
        unlinked = list(locked.filter(pk__in=named, provider_id=None))
        before = {row.pk: _values(row) for row in (*ours.values(), *unlinked)}
        for row in unlinked:
            row.provider_id = named[row.pk]
            ours.setdefault(row.provider_id, row)
        ended: dict[str, bool] = {}
        for identity, row in ours.items():
            with summary.row("subscription", row.pk):
                # Or it would charge on somebody who has left.
                if row.state == State.CANCELLED != STATES.get(theirs[identity].status):
                    ended[identity] = False
                    continue
                if row.cancel_at_period_end and not theirs[identity].cancel_at_period_end:
                    ended[identity] = True
                _merge(row, theirs[identity], now)
        changed = [row for row in ours.values() if _values(row) != before[row.pk]]
        Subscription.objects.bulk_update(changed, FIELDS)
    summary.add("updated", len(changed))
    summary.add("unknown", len(theirs) - Subscription.objects.filter(provider_id__in=theirs).count())
    return {row.pk for row in ours.values()}, ended


def _merge(row: Subscription, one: Any, now: datetime) -> None:
    if one.status not in STATES:
        raise ValueError(f"the provider's status {one.status!r} is not known; add it to STATES")
    state = STATES[one.status]
    if state == State.CANCELLED:
        if row.state != State.CANCELLED:
            row.state, row.cancelled_at = state, _moment(one.canceled_at) if one.canceled_at else now
        return
    # Whether a subscription is past due by our own invoices is for us to say.
    if state == State.PAST_DUE or row.state == State.TRIALING:
        row.state = state
    row.cancel_at_period_end = bool(row.cancel_at_period_end or one.cancel_at_period_end)
    for item in one["items"]["data"][:1]:
        end = _moment(item["current_period_end"])
        if end > row.period_end:
            row.period_start, row.period_end = _moment(item["current_period_start"]), end


def _register(row: Subscription) -> str:
    params = {
        "customer": row.provider_customer,
        "items": [{"price": row.plan.slug}],
        "backdate_start_date": int(row.period_start.timestamp()),
        "billing_cycle_anchor": int(row.period_end.timestamp()),
        "proration_behavior": "none",
        "cancel_at_period_end": row.cancel_at_period_end,
        "metadata": {"subscription": str(row.pk)},
    }
    made = _ask(
        client().v1.subscriptions.create, params, {"idempotency_key": f"zumodra-subscription-{row.pk}"}
    )
    return str(made.id)


def _ask(request: Any, *given: Any) -> Any:
    import stripe

    try:
        with reached():
            return request(*given)
    except (stripe.InvalidRequestError, stripe.IdempotencyError) as error:
        raise ValueError(f"the provider refuses: {error.user_message or error}") from error


def _values(row: Subscription) -> list[Any]:
    return [getattr(row, field) for field in FIELDS]


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
