"""Whom a user may know: people of the same conversations and of the same employer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber

from tasks.models import ContactSuggestion, Participant, User

USERS = 1000  # of one step
CROWD = 30  # people in a conversation that says nothing about who knows whom
COLLEAGUES = 10  # of an employer, those seen last: suggesting all to all would grow with the square
SCORE_CONVERSATION, SCORE_EMPLOYER = 2.0, 1.0  # for each shared conversation; for the same employer


def suggest(users: Sequence[User], limit: int, now: datetime) -> dict[str, int]:
    """Bring the suggestions to these users up to date: the `limit` best of each, and no others."""
    shared, seen_last = _shared(users), _seen_last(users)
    wanted: dict[tuple[int, int], ContactSuggestion] = {}
    for user in users:
        colleagues = set(seen_last[user.tenant_id]) - {user.pk}
        known = shared[user.pk]
        best = sorted(
            (-_score(known.get(pk, (0, None))[0], _same(user, pk, known, colleagues)), pk)
            for pk in colleagues | known.keys()
        )[:limit]
        for score, pk in best:
            conversations = known.get(pk, (0, None))[0]
            wanted[user.pk, pk] = ContactSuggestion(
                user_id=user.pk,
                contact_id=pk,
                score=-score,
                reason=_reason(conversations, _same(user, pk, known, colleagues)),
                created_at=now,
            )
    return _store([user.pk for user in users], wanted)


def _same(user: User, contact: int, known: dict[int, tuple[int, int | None]], colleagues: set[int]) -> bool:
    """Whether the two have the same employer."""
    if contact in colleagues:
        return True
    return user.tenant_id is not None and known[contact][1] == user.tenant_id


def _score(conversations: int, same_employer: bool) -> float:
    return conversations * SCORE_CONVERSATION + same_employer * SCORE_EMPLOYER


def _reason(conversations: int, same_employer: bool) -> str:
    plural = "" if conversations == 1 else "s"
    parts = [f"{conversations} shared conversation{plural}"] if conversations else []
    return ", ".join([*parts, *(["the same employer"] if same_employer else [])])


def _shared(users: Sequence[User]) -> defaultdict[int, dict[int, tuple[int, int | None]]]:
    """By user and other person: how many conversations they share, and the other's tenant."""
    keys = [user.pk for user in users]
    theirs = Participant.objects.filter(user__in=keys).values("conversation")
    sizes = Participant.objects.filter(conversation__in=theirs).order_by().values("conversation")
    small = sizes.annotate(people=Count("pk")).filter(people__lte=CROWD).values("conversation")
    other = "conversation__participants__user"
    # All in one filter, so that it is one join: the other participants of the same conversation.
    pairs = (
        Participant.objects.filter(
            ~Q(user=F(other)), user__in=keys, conversation__in=small, **{f"{other}__is_active": True}
        )
        .order_by()
        .values_list("user", other, f"{other}__tenant")
        .annotate(shared=Count("pk"))
    )
    table: defaultdict[int, dict[int, tuple[int, int | None]]] = defaultdict(dict)
    for user, contact, tenant, count in pairs:
        table[user][contact] = count, tenant
    return table


def _seen_last(users: Sequence[User]) -> defaultdict[int | None, list[int]]:
    """By tenant, the people who logged in last."""
    tenants = {user.tenant_id for user in users} - {None}
    place = Window(
        RowNumber(),
        partition_by=F("tenant"),
        order_by=(F("last_login_at").desc(nulls_last=True), F("pk").asc()),
    )
    # One more than needed, since nobody is suggested to himself.
    people = User.objects.filter(tenant__in=tenants, is_active=True).annotate(place=place)
    table: defaultdict[int | None, list[int]] = defaultdict(list)
    for tenant, pk in people.filter(place__lte=COLLEAGUES + 1).values_list("tenant", "pk"):
        table[tenant].append(pk)
    return table


def _store(users: Sequence[int], wanted: dict[tuple[int, int], ContactSuggestion]) -> dict[str, int]:
    """Make the suggestions to `users` those that are wanted; what is right already is left as it is."""
    with transaction.atomic():
        there: dict[tuple[int, int], Any] = {
            (row.user_id, row.contact_id): row for row in ContactSuggestion.objects.filter(user__in=users)
        }
        fresh = [row for pair, row in wanted.items() if pair not in there]
        changed = [
            row
            for pair, row in wanted.items()
            if pair in there and (there[pair].score, there[pair].reason) != (row.score, row.reason)
        ]
        gone = [row.pk for pair, row in there.items() if pair not in wanted]
        ContactSuggestion.objects.bulk_create(
            [*fresh, *changed],
            update_conflicts=True,
            unique_fields=["user", "contact"],
            update_fields=["score", "reason"],
        )
        ContactSuggestion.objects.filter(pk__in=gone).delete()
    return {"added": len(fresh), "changed": len(changed), "removed": len(gone)}
