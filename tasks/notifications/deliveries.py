"""Notifications on their way to people: in the application at once, by e-mail through the outbox.

The letter of an attempt is named after the notification and the attempt. So a run that was killed finds
its letter again, and only a letter that was refused for good is followed by another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Left

from tasks.base import batches, mail
from tasks.base.mail import Letter
from tasks.base.summary import Summary
from tasks.models import Mail, Notification

KIND, COPY = "notification", "notification copy"  # of the letters
ABSENT = "the user is not active"
REFUSED = "the mail server refuses it"
ROWS = 500  # letters of one step
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


def deliver(rows: QuerySet[Notification], now: datetime, holder: str, size: int = ROWS) -> Summary:
    """Deliver `rows`, and store what became of each; none of them is among `rows` after that.

    What is shown in the application comes first, so that it does not wait for a mail server that is
    down. A letter that the server wants to see later stays in the outbox, and its notification as it is
    (``waiting``): the next run sends it.
    """
    tried: dict[str, Any] = {"attempts": F("attempts") + 1}
    failed = {"state": Notification.State.FAILED, "failed_at": now, **tried}
    delivered = {"state": Notification.State.DELIVERED, "delivered_at": now, "detail": "", **tried}
    summary = Summary(
        failed=batches.update(rows.filter(user__is_active=False), detail=ABSENT, **failed),
        shown=batches.update(
            rows.filter(user__is_active=True, channel=Notification.Channel.IN_APP), **delivered
        ),
        mailed=0,
        waiting=0,
    )
    letters = loaded(rows.filter(user__is_active=True, channel=Notification.Channel.EMAIL))
    for batch in batches.walk(letters, size):
        mailed = {letter_of(row).key: row for row in batch}
        mail.write((letter_of(row) for row in batch), now)
        mail.deliver(KIND, holder, mailed)
        ended: dict[str, list[Notification]] = {"": [], REFUSED: [], mail.NO_ADDRESS: []}
        for key, state, detail in Mail.objects.filter(key__in=mailed).values_list("key", "state", "detail"):
            if state == Mail.State.SENT:
                ended[""].append(mailed[key])
            elif state == Mail.State.REFUSED:
                ended[detail if detail == mail.NO_ADDRESS else REFUSED].append(mailed[key])
        summary.add("waiting", len(batch) - sum(map(len, ended.values())))
        summary.add("mailed", _settle(ended.pop(""), **delivered))
        for reason, ones in ended.items():
            summary.add("failed", _settle(ones, detail=reason, **failed))
    return summary


def loaded(rows: QuerySet[Notification]) -> QuerySet[Notification]:
    """`rows` with their users, and of their texts as much as a letter shows."""
    return rows.select_related("user").defer("body").annotate(excerpt=Left("body", EXCERPT))


def letter_of(row: Any, copy: bool = False) -> Letter:
    """The letter of a loaded one's next attempt; or a copy of what is shown in the application."""
    again = f", attempt {row.attempts + 1}" if row.attempts and not copy else ""
    return Letter(
        COPY if copy else KIND,
        f"{row.pk}{again}",
        row.user.email,
        row.title or "Notification",
        lines=(row.excerpt,) if row.excerpt else (),
        tenant_id=row.user.tenant_id,
    )


def _settle(rows: Sequence[Notification], **values: Any) -> int:
    """Write down the end of an attempt, once: rows that another run has settled meanwhile are left."""
    untouched = Q()
    for state, attempts in {(row.state, row.attempts) for row in rows}:
        keys = [row.pk for row in rows if (row.state, row.attempts) == (state, attempts)]
        untouched |= Q(state=state, attempts=attempts, pk__in=keys)
    return int(Notification.objects.filter(untouched).update(**values)) if rows else 0
