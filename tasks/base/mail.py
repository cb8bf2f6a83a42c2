"""E-mail, each message written once and sent once.

A task writes its letters into the outbox, where the unique key drops what is there already, and then
delivers what waits there. Delivery claims rows before it sends, so that two workers never send the
same one; a run that is delivered again after its worker was killed claims its own rows again. Which of
them the mail server had accepted by then stands in the cache, written right after each acceptance: one
query a message would make a long run slow, and a mark a batch would send up to a batch twice.
"""

from __future__ import annotations

import hashlib
import logging
import smtplib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.validators import validate_email
from django.db.models import Q, QuerySet
from django.template.loader import get_template
from redis.exceptions import RedisError

from tasks.base.batches import chunks
from tasks.base.clock import moment
from tasks.models import Mail

logger = logging.getLogger(__name__)

CHUNK = 200  # letters of one claim
ABANDONED = timedelta(minutes=65)  # longer than a task may live: its claims are nobody's
REMEMBERED = 7 * 24 * 3600  # seconds that an accepted message is remembered in the cache
LINE = 2000  # characters of one line or value; more is cut
SUBJECT = 200
MAX_KEY = 200
NO_ADDRESS = "no valid address"
TEMPORARY = range(400, 500)  # SMTP replies that ask to come back later


@dataclass(frozen=True)
class Letter:
    """One message to one recipient. Every text in it is plain: escaping is the template's work."""

    kind: str  # what sort of letter: "trial reminder"
    about: str  # which object and occasion: "tenant 12, 7 days"
    recipient: str
    subject: str
    lines: tuple[str, ...] = ()
    facts: tuple[tuple[str, object], ...] = ()  # label and value, shown as a table
    link: str = ""
    tenant_id: int | None = None

    @property
    def key(self) -> str:
        """The key under which it is written once."""
        key = f"{self.kind}: {self.about} → {self.recipient}"
        if len(key) <= MAX_KEY:
            return key
        return f"{key[: MAX_KEY - 33]} {hashlib.sha256(key.encode()).hexdigest()[:32]}"


def to_operators(kind: str, about: str, subject: str, **parts: Any) -> list[Letter]:
    """The same letter to each of the platform's operators."""
    return [Letter(kind, about, operator, subject, **parts) for operator in settings.OPERATORS]


def write(letters: Iterable[Letter], now: datetime) -> int:
    """Put letters into the outbox, each key once; returns how many were new."""
    written = 0
    for chunk in chunks(letters, CHUNK):
        rows = {letter.key: letter for letter in chunk}
        known = set(Mail.objects.filter(key__in=rows).values_list("key", flat=True))
        fresh = [_row(letter, now) for key, letter in rows.items() if key not in known]
        Mail.objects.bulk_create(fresh, ignore_conflicts=True)
        written += len(fresh)
    return written


def deliver(kind: str, holder: str, keys: Collection[str] | None = None) -> dict[str, int]:
    """Send every letter of `kind` that waits.

    Parameters
    ----------
    kind
        As in the letters.
    holder
        Id of the running task, see :func:`tasks.base.leases.holder`.
    keys
        Send no others than these. Two tasks that share a kind and store what became of their letters
        need it: a letter in the hands of the other task has no end yet.

    Returns
    -------
    dict
        ``mailed`` accepted by the server now, ``refused`` never to be accepted, ``deferred`` to be
        tried again by a later run.

    Raises
    ------
    OSError, smtplib.SMTPServerDisconnected
        The server does not answer; what was accepted so far is marked.
    """
    counts = {"mailed": 0, "refused": 0, "deferred": 0}
    last = 0
    try:
        while claimed := _claim(kind, holder, last, keys):
            last = claimed[-1].pk
            _send(claimed, counts)
    finally:
        left = Mail.objects.filter(kind=kind, state=Mail.State.SENDING, holder=holder)
        left.update(state=Mail.State.QUEUED, holder="")
    return counts


def _row(letter: Letter, now: datetime) -> Mail:
    parts = {
        "title": _plain(letter.subject, SUBJECT),
        "lines": [_plain(line) for line in letter.lines],
        "facts": [(_plain(label), _plain(value)) for label, value in letter.facts],
        "link": _plain(letter.link),
    }
    row = Mail(
        key=_plain(letter.key, MAX_KEY),
        kind=letter.kind,
        tenant_id=letter.tenant_id,
        recipient=_plain(letter.recipient, 320),
        subject=parts["title"],
        text=get_template("tasks/letter.txt").render(parts),
        html=get_template("tasks/letter.html").render(parts),
        created_at=now,
    )
    try:
        validate_email(row.recipient)
    except ValidationError:
        row.state, row.detail = Mail.State.REFUSED, NO_ADDRESS
    return row


def _plain(value: object, length: int = LINE) -> str:
    """Text on one line, without control characters, which headers and PostgreSQL do not take."""
    text = "".join(c if c.isprintable() or c.isspace() else "" for c in str(value)[: length * 2])
    text = " ".join(text.split()).encode("utf-8", "ignore").decode()
    return text if len(text) <= length else text[: length - 1] + "…"


def _claim(kind: str, holder: str, after: int, keys: Collection[str] | None) -> list[Mail]:
    now = moment()
    among = Q() if keys is None else Q(key__in=keys)
    waiting = Mail.objects.filter(
        Q(state=Mail.State.QUEUED)
        | Q(state=Mail.State.SENDING) & (Q(holder=holder) | Q(held_at__lt=now - ABANDONED)),
        among,
        kind=kind,
        pk__gt=after,
        state__in=(Mail.State.QUEUED, Mail.State.SENDING),  # what the index of waiting mail asks for
    )
    first = list(waiting.order_by("pk").values_list("pk", flat=True)[:CHUNK])
    # The condition is asked again by the update: another worker may have claimed meanwhile.
    waiting.filter(pk__in=first).update(state=Mail.State.SENDING, holder=holder, held_at=now)
    return list(Mail.objects.filter(pk__in=first, state=Mail.State.SENDING, holder=holder).order_by("pk"))


def _send(claimed: list[Mail], counts: dict[str, int]) -> None:
    accepted = _accepted(claimed)
    refused: list[Mail] = []
    try:
        with get_connection() as connection:
            for row in claimed:
                if row.pk not in accepted:
                    _send_one(row, connection, accepted, refused, counts)
    finally:
        rows: QuerySet[Mail] = Mail.objects.filter(pk__in=accepted)
        counts["mailed"] += rows.update(state=Mail.State.SENT, sent_at=moment(), holder="")
        if refused:
            Mail.objects.bulk_update(refused, ["state", "detail", "holder"])
        with suppress(RedisError):  # marks that stay are harmless and end by themselves
            cache.delete_many([_mark(row) for row in claimed if row.pk in accepted])


def _send_one(
    row: Mail, connection: Any, accepted: set[int], refused: list[Mail], counts: dict[str, int]
) -> None:
    message = EmailMultiAlternatives(
        row.subject, row.text, settings.DEFAULT_FROM_EMAIL, [row.recipient], connection=connection
    )
    message.attach_alternative(row.html, "text/html")
    # The same message keeps its id, so that a mail server that looks for duplicates finds them.
    digest = hashlib.sha256(row.key.encode()).hexdigest()[:32]
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("> ")
    message.extra_headers = {"Message-ID": f"<{digest}@{domain}>", "Auto-Submitted": "auto-generated"}
    try:
        message.send()
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPResponseException, ValueError) as error:
        code = _code(error)
        if code in TEMPORARY:
            counts["deferred"] += 1
        else:
            counts["refused"] += 1
            row.state, row.holder, row.detail = Mail.State.REFUSED, "", str(error)[:300]
            refused.append(row)
        logger.warning("mail %s not taken (%s): %.200s", row.pk, code, error)
    else:
        accepted.add(row.pk)
        with _cache_needed():
            cache.set(_mark(row), 1, REMEMBERED)


def _accepted(claimed: list[Mail]) -> set[int]:
    """Which of these the mail server took from a run that could not say so in the database any more."""
    with _cache_needed():
        return {int(key.rpartition(":")[2]) for key in cache.get_many([_mark(row) for row in claimed])}


@contextmanager
def _cache_needed() -> Iterator[None]:
    """Without the cache nothing is sent: a message whose acceptance is not remembered could go twice."""
    try:
        yield
    except RedisError as error:
        raise ConnectionError(f"the cache does not answer, so no mail is sent: {error}") from error


def _mark(row: Mail) -> str:
    return f"mail-accepted:{row.pk}"


def _code(error: Exception) -> int:
    """The server's reply code; 500 where the message could not even be put together."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max((reply[0] for reply in error.recipients.values()), default=500)
    return int(getattr(error, "smtp_code", 500))
