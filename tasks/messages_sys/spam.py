"""How much a message looks like spam: 0 is not at all, 1 is nothing else.

Three signals, each 0 to 1: how many messages its sender wrote in the same hour, how often with the same
text on that day, and how many of its words are links. Links alone can make a message spam; a busy hour
alone, or a phrase that somebody uses often, cannot.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Case, Count, FloatField, QuerySet, Value, When
from django.db.models.functions import MD5, Left, Length, Lower, Trim, TruncDay, TruncHour

from tasks.models import Message

READ = 4000  # characters of a message that are looked at for links
RATE_FREE, RATE_FULL = 10, 20  # messages an hour: no signal up to the first, the whole from the second on
REPEATS_FREE, REPEATS_FULL = 3, 6  # messages with the same text a day
SHORTEST = 20  # characters of a text whose repetition means anything: "ok" is said often
LINKS_LEAST = 2  # one link is how people point at something
DENSITY_FULL = 0.25  # links a word
WEIGHT_RATE, WEIGHT_REPEATS, WEIGHT_LINKS = 0.3, 0.3, 0.5
LINK = re.compile(r"https?://|\bwww\.", re.IGNORECASE)
DAY = timedelta(days=1)


def loaded(rows: QuerySet[Message]) -> QuerySet[Message]:
    """`rows` with what :func:`score` needs of them; long texts stay in the database."""
    return rows.defer("text").annotate(
        head=Left("text", READ), print=_print(), hour=TruncHour("sent_at"), day=TruncDay("sent_at")
    )


def score(batch: Sequence[Any], threshold: float) -> dict[str, int]:
    """Store the scores of :func:`loaded` messages; from `threshold` on they are spam."""
    senders = {row.sender_id for row in batch} - {None}
    first, last = min(row.day for row in batch), max(row.day for row in batch) + DAY
    near = Message.objects.filter(sender__in=senders, sent_at__gte=first, sent_at__lt=last).order_by()
    rates = _often(near.annotate(hour=TruncHour("sent_at")), ("sender", "hour"), RATE_FREE)
    same = near.annotate(size=Length("text")).filter(size__gte=SHORTEST)
    same = same.annotate(day=TruncDay("sent_at"), print=_print())
    repeats = _often(same, ("sender", "day", "print"), REPEATS_FREE)
    by_score: dict[float, list[int]] = {}
    for row in batch:
        rate = _signal(rates.get((row.sender_id, row.hour), 0), RATE_FREE, RATE_FULL)
        repeated = _signal(repeats.get((row.sender_id, row.day, row.print), 0), REPEATS_FREE, REPEATS_FULL)
        weighed = WEIGHT_RATE * rate + WEIGHT_REPEATS * repeated + WEIGHT_LINKS * links(row.head)
        by_score.setdefault(round(min(weighed, 1.0), 2), []).append(row.pk)
    value = Case(
        *(When(pk__in=keys, then=Value(found)) for found, keys in by_score.items()),
        output_field=FloatField(),
    )
    spam = [pk for found, keys in by_score.items() if found >= threshold for pk in keys]
    flag = Case(When(pk__in=spam, then=Value(True)), default=Value(False)) if spam else Value(False)
    rows = Message.objects.filter(pk__in=[row.pk for row in batch])
    return {"scored": rows.update(spam_score=value, is_spam=flag), "flagged": len(spam)}


def links(text: str) -> float:
    """The signal of the links in a text."""
    count = len(LINK.findall(text))
    return 0.0 if count < LINKS_LEAST else min(1.0, count / len(text.split()) / DENSITY_FULL)


def _signal(count: int, free: int, full: int) -> float:
    return min(1.0, max(0.0, (count - free) / (full - free)))


def _often(rows: QuerySet[Any], columns: tuple[str, ...], more_than: int) -> dict[tuple[Any, ...], int]:
    """How often values of `columns` occur together, where it is more than so often."""
    counted = rows.values_list(*columns).annotate(times=Count("pk")).filter(times__gt=more_than)
    return {tuple(values): times for *values, times in counted}


def _print() -> Any:
    """A fingerprint by which the same text is known again, whatever its case."""
    return MD5(Lower(Trim("text")))
