"""What clients think of a provider: a mean in which recent reviews count more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

from tasks.models import Provider, Review

HALF_LIFE = timedelta(days=180)  # a review of this age counts half as much as one of today
DIGITS = 4


def weighted(reviews: Iterable[tuple[int, datetime]]) -> tuple[float | None, int]:
    """Mean of ratings with their moments, the latest first, and how many there were.

    Weights are taken against the latest review: the mean does not change while nobody reviews, and
    reviews from ages ago do not vanish into nothing all at once.
    """
    total = weights = 0.0
    count, latest = 0, None
    for rating, at in reviews:
        latest = latest or at
        weight = 0.5 ** ((latest - at) / HALF_LIFE)
        total, weights, count = total + weight * rating, weights + weight, count + 1
    return (round(total / weights, DIGITS) if count else None), count


def rate(providers: Sequence[Provider], now: datetime) -> int:
    """Store the rating of these providers; returns how many it changed."""
    reviews = Review.objects.filter(provider__in=providers, at__lte=now).order_by("provider", "-at", "pk")
    rows = reviews.values_list("provider", "rating", "at").iterator()
    found = {
        provider: weighted((rating, at) for _, rating, at in own)
        for provider, own in groupby(rows, key=itemgetter(0))
    }
    changed = []
    for provider in providers:
        rating, count = found.get(provider.pk, (None, 0))
        if (rating, count) != (provider.rating, provider.reviews_counted):
            provider.rating, provider.reviews_counted, provider.rated_at = rating, count, now
            changed.append(provider)
    Provider.objects.bulk_update(changed, ["rating", "reviews_counted", "rated_at"])
    return len(changed)
