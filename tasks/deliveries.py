"""Notifications on their way to people: in the application at once, by e-mail through the outbox.

The letter of an attempt is named after the notification and the attempt. So a run that was killed finds
its letter again, and only a letter that was refused for good is followed by another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Left

from tasks import mail
from tasks.mail import Letter
from tasks.models import Mail, Notification
from tasks.summary import Summary

KIND = "notification"  # of the letters
ABSENT = "the user is not active"
REFUSED = "the mail server refuses it"
EXCERPT = 2 * mail.LINE  # characters


def waiting(now: datetime) -> QuerySet[Notification]:
    """What is due and was never tried."""
    return Notification.objects.filter(state=Notification.State.SCHEDULED, deliver_at__lte=now)


def failed(now: datetime, age: timedelta, pause: timedelta, retries: int) -> QuerySet[Notification]:
    """What failed, is younger than `age`, and has had its pause, which doubles with each attempt."""
    rested = Q(attempts=0) | Q(failed_at__isnull=True)
    for attempts in range(1, retries + 1):
        rested |= Q(attempts=attempts, failed_at__lte=now - pause * 2 ** (attempts - 1))
    return Notification.objects.filter(
        rested,
        state=Notification.State.FAILED,
        attempts__lte=retries,
        deliver_at__gt=now - age,
        deliver_at__lte=now,
    )


def loaded(rows: QuerySet[Notification]) -> QuerySet[Notification]:
    """`rows` with their users, and of their texts as much as a letter shows."""
    return rows.select_related("user").defer("body").annotate(excerpt=Left("body", EXCERPT))


def deliver(rows: Sequence[Notification], now: datetime, holder: str, summary: Summary) -> None:
    """Deliver :func:`loaded` notifications, and store what became of each.

    A letter that the mail server wants to see later stays in the outbox, and its notification stays as
    it is (``waiting``): the next run sends it.
    """
    refused: dict[str, list[Notification]] = {ABSENT: [], REFUSED: [], mail.NO_ADDRESS: []}
    delivered: list[Notification] = []
    mailed: dict[str, Notification] = {}
    for row in rows:
        if not row.user.is_active:
            refused[ABSENT].append(row)
        elif row.channel == Notification.Channel.EMAIL:
            mailed[letter_of(row).key] = row
        else:
            delivered.append(row)
    if mailed:
        mail.write((letter_of(row) for row in mailed.values()), now)
        mail.deliver(KIND, holder)
    for key, state, detail in Mail.objects.filter(key__in=mailed).values_list("key", "state", "detail"):
        if state == Mail.State.SENT:
            delivered.append(mailed.pop(key))
        elif state == Mail.State.REFUSED:
            refused[detail if detail == mail.NO_ADDRESS else REFUSED].append(mailed.pop(key))
    done = {"state": Notification.State.DELIVERED, "delivered_at": now, "detail": ""}
    summary.add("delivered", _settle(delivered, **done))
    for reason, failures in refused.items():
        failure = {"state": Notification.State.FAILED, "failed_at": now, "detail": reason}
        summary.add("failed", _settle(failures, **failure))
    summary.add("waiting", len(mailed))


def letter_of(row: Any, copy: bool = False) -> Letter:
    """The letter of the next attempt; or a copy of what is shown in the application."""
    again = ", copy" if copy else f", attempt {row.attempts + 1}" if row.attempts else ""
    return Letter(
        KIND,
        f"{row.pk}{again}",
        row.user.email,
        row.title or "Notification",
        lines=(row.excerpt,) if row.excerpt else (),
        tenant_id=row.user.tenant_id,
    )


def _settle(rows: Sequence[Notification], **values: object) -> int:
    """Write down the end of an attempt, once: rows that another run has settled meanwhile are left."""
    if not rows:
        return 0
    untouched = reduce(
        or_,
        (
            Q(
                state=state,
                attempts=attempts,
                pk__in=[r.pk for r in rows if (r.state, r.attempts) == (state, attempts)],
            )
            for state, attempts in sorted({(row.state, row.attempts) for row in rows})
        ),
    )
    return int(Notification.objects.filter(untouched).update(attempts=F("attempts") + 1, **values))
