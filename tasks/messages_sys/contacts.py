"""Whom a user may know: people of the same conversations and of the same employer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber

from tasks.models import ContactSuggestion, Participant, User

USERS = 1000  # of one step
CROWD = 30  # people in a conversation that says nothing about who knows whom
COLLEAGUES = 10  # of an employer, those seen last: suggesting all to all would grow with the square
SCORE_CONVERSATION, SCORE_EMPLOYER = 2.0, 1.0  # for each shared conversation; for the same employer

UPSERT = """
    INSERT INTO tasks_contactsuggestion (user_id, contact_id, score, reason, created_at)
    VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (user_id, contact_id) DO UPDATE SET score = excluded.score, reason = excluded.reason
"""


def suggest(users: Sequence[User], limit: int, now: datetime) -> dict[str, int]:
    """Bring the suggestions to these users up to date: the `limit` best of each, and no others."""
    shared, seen_last = _shared(users), _seen_last(users)
    wanted: dict[tuple[int, int], ContactSuggestion] = {}
    for user in users:
        known = {pk: (0, True) for pk in seen_last[user.tenant_id] if pk != user.pk}
        for pk, (conversations, tenant) in shared[user.pk].items():
            known[pk] = conversations, tenant is not None and tenant == user.tenant_id
        best = sorted(known.items(), key=lambda item: (-_score(*item[1]), item[0]))[:limit]
        for pk, bonds in best:
            wanted[user.pk, pk] = ContactSuggestion(
                user_id=user.pk,
                contact_id=pk,
                score=_score(*bonds),
                reason=_reason(*bonds),
                created_at=now,
            )
    return _store([user.pk for user in users], wanted)


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
        _write([*fresh, *changed])
        ContactSuggestion.objects.filter(pk__in=gone).delete()
    return {"added": len(fresh), "changed": len(changed), "removed": len(gone)}


def _write(rows: Sequence[ContactSuggestion]) -> None:
    """Insert suggestions; one that is there gets the new score and reason.

    One prepared statement: Django's own way is a statement for every 199 rows on SQLite.
    """
    if rows:
        adapt = connection.ops.adapt_datetimefield_value
        values = [(r.user_id, r.contact_id, r.score, r.reason, adapt(r.created_at)) for r in rows]
        with connection.cursor() as cursor:
            cursor.executemany(UPSERT, values)
